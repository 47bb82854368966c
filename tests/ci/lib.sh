# Shared by the parts of check.sh in tests/ci: directories in the lab, and TAP.
# shellcheck shell=bash
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

# The lab's copy of the sources, and the builds.
source=/build/src
work=/build/check
jobs=$(nproc)
# Tests mostly wait.
test_jobs=$((jobs + 3))

part=${0##*/}
log=$work/$part.log
points=0

# A step's limit in seconds: about ten times what the longest takes.
step_limit=$((${OMSMTPBLOCK_STEP_LIMIT:-900} * ${OMSMTPBLOCK_PATIENCE:-1}))
late=$work/$part.late

mkdir -p "$work"
: >"$log"

# The result of one point. Every part prints its plan at the end: a part that dies before
# has none, which counts as a failure.
point() {
	points=$((points + 1))
	printf '%s %d - %s: %s\n' "$1" "$points" "$part" "$2"
}

plan() {
	printf '1..%d\n' "$points"
}

comment() {
	sed 's/^/#   /'
}

# The last step's output: the compiler's complaints, and the end.
show_log() {
	local step
	step=$(awk '/^== / { text = "" } { text = text $0 "\n" } END { printf "%s", text }' "$log")
	grep -E '(error|warning): ' <<<"$step" | head -n 15 | comment
	tail -n 20 <<<"$step" | comment
}

# At the step's limit, kills every process of the lab except those listed in $1: all that
# the step has started, and whatever it starts afterwards. Does nothing outside the lab.
guard() {
	local nap='' process
	[ "${OMSMTPBLOCK_IN_LAB:-}" = 1 ] || return 0
	trap 'kill "$nap" 2>/dev/null; exit 0' TERM
	sleep "$step_limit" &
	nap=$!
	wait "$nap"
	: >"$late"
	while :; do
		for process in /proc/[0-9]*; do
			case " $1 $BASHPID " in
			*" ${process#/proc/} "*) ;;
			*) kill -KILL "${process#/proc/}" 2>/dev/null || true ;;
			esac
		done
		sleep 0.2 &
		nap=$!
		wait "$nap" || true
	done
}

# limited COMMAND...: runs it in this shell, since a step may set variables. Fails at the
# limit.
limited() {
	local status=0 before guard
	rm -f "$late"
	before=$(cd /proc && echo [0-9]*)
	guard "$before" >/dev/null 2>&1 </dev/null &
	guard=$!
	"$@" || status=$?
	kill "$guard" 2>/dev/null || true
	wait "$guard" 2>/dev/null || true
	[ ! -e "$late" ] || status=124
	return "$status"
}

# The reason to print for a failed step.
why_failed() {
	[ ! -e "$late" ] || printf ': ended after its limit of %d s' "$step_limit"
}

# try NAME COMMAND...: the command succeeds. Its output goes to the log.
try() {
	local name=$1
	shift
	printf '\n== %s: %s\n' "$name" "$*" >>"$log"
	if limited "$@" >>"$log" 2>&1 </dev/null; then
		point ok "$name"
	else
		point 'not ok' "$name$(why_failed)"
		show_log
		return 1
	fi
}

# refuses NAME PATTERN COMMAND...: the command fails, and prints PATTERN, in which a blank
# also matches the end of a line.
refuses() {
	local name=$1 pattern=$2 output status=0
	shift 2
	output=$(limited "$@" 2>&1 </dev/null) || status=$?
	printf '\n== %s: %s\n%s\n' "$name" "$*" "$output" >>"$log"
	if [ "$status" != 0 ] && [ ! -e "$late" ] &&
		grep -qE -- "$pattern" <<<"${output//$'\n'/ }"; then
		point ok "$name"
	else
		point 'not ok' "$name$(why_failed)"
		printf 'want a failure and "%s", got status %s and:\n%s\n' \
			"$pattern" "$status" "$output" | tail -n 20 | comment
	fi
}

# same NAME WANT GOT
same() {
	if [ "$2" = "$3" ]; then
		point ok "$1"
	else
		point 'not ok' "$1"
		diff -u --label want --label got <(printf '%s\n' "$2") <(printf '%s\n' "$3") |
			comment || true
	fi
}

# check.sh has copied the sources; the part bootstrap has created the rest.
need_configure() {
	if [ ! -x "$source/configure" ] || [ ! -d "$source/rsyslog-headers" ]; then
		echo "# $source is not bootstrapped: run the part bootstrap first"
		exit 1
	fi
	if [ -n "$(find "$source"/{configure.ac,Makefile.am,m4} -newer "$source/configure")" ]; then
		(cd "$source" && autoreconf -fi) >>"$log" 2>&1
	fi
}

# configure_in DIR ARGUMENT...: out of tree
configure_in() {
	local dir=$1
	shift
	mkdir -p "$dir"
	(cd "$dir" && "$source/configure" "$@")
}

make_in() {
	local dir=$1
	shift
	make -C "$dir" -j "$jobs" "$@"
}

# For sanitizers. The module stays loaded, so that its symbols are known in the reports at
# exit. The second is for tests/instrument/run.
sanitized=(CC=gcc '--enable-sanitizers=address,undefined' CFLAGS='-g -O1'
	LDFLAGS='-Wl,-z,nodelete')
# shellcheck disable=SC2034
thread_sanitized=(CC=gcc --enable-sanitizers=thread CFLAGS='-g -O1'
	LDFLAGS='-Wl,-z,nodelete')

configure_sanitized() {
	configure_in "$work/sanitizers" --enable-werror "${sanitized[@]}"
}

build_sanitized() {
	build "$work/sanitizers" "${sanitized[@]}"
}

# A new build, with warnings as errors.
build() {
	local dir=$1
	shift
	rm -rf "$dir"
	try "configure" configure_in "$dir" --enable-werror "$@" &&
		try "make, warnings are errors" make_in "$dir"
}

# check DIR TARGET: prints the points of make's tests as points of this part
check() {
	local dir=$1 target=$2 kind name
	printf '\n== make %s\n' "$target" >>"$log"
	limited make_in "$dir" -j "$test_jobs" "$target" >>"$log" 2>&1 </dev/null || true
	[ ! -e "$late" ] || point 'not ok' "make $target$(why_failed)"
	while read -r kind name; do
		case $kind in
		PASS) point ok "$name" ;;
		SKIP) point ok "$name # SKIP" ;;
		*) point 'not ok' "$name ($kind)" ;;
		esac
	done < <(test_results "$dir")
	failed_tests "$dir" | comment || true
	[ -n "$(test_results "$dir")" ] || { point 'not ok' "make $target ran"; show_log; }
}

# Each line "PASS: tests/unit/lib/test_addr 1 - name" of the tests' logs, which automake's
# driver writes for each point. The exit status of a test with failed points is not another
# failure.
test_results() {
	local trs
	for trs in $(find "$1/tests" -name '*.trs' | sort); do
		awk '
		/^(PASS|FAIL|XPASS|XFAIL|SKIP): / { failed += /^FAIL/; print; next }
		/^ERROR: .* exited with status/ && failed { next }
		/^ERROR: /' "${trs%.trs}.log" | sed 's/: / /'
	done
}

# The output of the failed tests, without the points that passed.
failed_tests() {
	local trs failed='^:test-result: (FAIL|XPASS|ERROR)'
	grep -rlE --include='*.trs' "$failed" "$1/tests" | sort | while read -r trs; do
		printf '%s:\n' "${trs#"$1"/}"
		grep -vE '^(ok|PASS:|1\.\.)' "${trs%.trs}.log" || true
	done
}
