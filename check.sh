#!/bin/bash
# Builds and tests everything, and prints a summary line.
#
#   sudo ./check.sh [PART...]
#
# Nothing is installed or changed on this host except the package debootstrap and the lab,
# a private Debian tree in which everything runs (tests/lab/root).
# Without names all parts run, in this order:
#
#   bootstrap    ./bootstrap: packages, rsyslog's headers, apt left as it was
#   limits       a test that hangs is terminated, named, and has failed
#   gcc          the build with gcc without warnings, and make check
#   clang        the build of everything with clang without warnings
#   sanitizers   the unit tests under address and undefined behaviour sanitizers
#   coverage     the lines of src/ that the unit tests reach: 95 %; of tool/; of plugin/
#   configure    what configure refuses, and its messages
#   install      make install and uninstall, DESTDIR and prefix
#   distcheck    the source archive is complete and builds
#   package      Debian's packages: source, binary, lintian
#   package-bookworm, package-trixie  the package installed, upgraded and removed there
#   walk-bookworm, walk-trixie  README's commands there, from installation to removal; on
#                trixie also courier behind HAProxy
#   bench        instructions and system calls per message, by the number of smtpds; waves
#   fresh        README's installation on a minimal Debian
#   integration  real rsyslogd, courier, DNSBL and kernel lists
#   integration-sanitizers  the same with rsyslogd under the sanitizers
#
# The last line is "N passed, N failed, N skipped". The status is 0 only if
# nothing failed and every part ran to its end. Every part, step, test and scenario has a
# generous time limit. At the limit it is terminated with all its processes, reported by
# name, and counts as failed. OMSMTPBLOCK_PATIENCE=3 in the environment triples all limits.
# INT, TERM and HUP terminate everything at once.
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
set -euo pipefail

tree=$(cd "$(dirname "$0")" && pwd -P)
all_parts=(bootstrap limits gcc clang sanitizers coverage configure install distcheck
	package package-bookworm package-trixie walk-bookworm walk-trixie bench
	fresh integration integration-sanitizers)
passed=0 failed=0 skipped=0
job=''

usage() {
	sed -n '2,/^# Copyright/{/^# Copyright/d;s/^# \{0,1\}//;p}' "$0"
}

die() {
	printf 'check.sh: %s\n' "$*" >&2
	exit 2
}

chosen_parts() {
	local part
	for part; do
		case " ${all_parts[*]} " in
		*" $part "*) ;;
		*) die "there is no part \"$part\": ${all_parts[*]}" ;;
		esac
	done
	parts=("${@:-${all_parts[@]}}")
	[ $# -gt 0 ] || parts=("${all_parts[@]}")
}

# In seconds. On two idle processors the longest part takes under three minutes.
limit_of() {
	local seconds=1800
	case $1 in
	lab | integration*) seconds=3600 ;;
	esac
	printf '%d\n' $((${OMSMTPBLOCK_PART_LIMIT:-seconds} * ${OMSMTPBLOCK_PATIENCE:-1}))
}

# run_job NAME FILE: runs one part and copies its output to FILE. The part runs in its own
# PID namespace. When timeout(1) exits for any reason, the kernel kills the first process
# of the namespace, and with it all others. Every process inherits the lock on $alive, so
# the lock is free once the last one has exited.
run_job() {
	local name=$1 file=$2 limit started=$SECONDS status=0 held out tee
	limit=$(limit_of "$name")
	exec {held}>"$alive"
	flock --shared "$held"
	exec {out}> >(trap '' INT TERM HUP; exec tee "$file" {held}>&-)
	tee=$!
	setpriv --pdeathsig KILL timeout --signal=KILL "$limit" \
		setpriv --pdeathsig KILL unshare --pid --fork --kill-child \
		env --default-signal "$tree/check.sh" --inside "$name" \
		</dev/null >&"$out" 2>&1 {out}>&- &
	job=$!
	exec {held}>&-
	wait "$job" 2>/dev/null || status=$?
	job=''
	[ "$status" = 0 ] || [ $((SECONDS - started)) -lt "$limit" ] ||
		printf '\nBail out! part %s: ended after its limit of %d s\n' \
			"$name" "$limit" >&"$out"
	exec {out}>&-
	wait "$tee" || true
	return "$status"
}

# Kills the running part and waits until all its processes have exited.
interrupted() {
	trap '' INT TERM HUP
	[ -z "$job" ] || { kill -KILL "$job"; wait "$job"; } 2>/dev/null || true
	printf 'check.sh: interrupted\n'
	flock --exclusive --timeout 30 "$alive" true || die "something is still running in the lab"
	exit "$1"
}

# All of it is in the lab's directory: output of the parts, a lock, and the second, empty
# lab for the part fresh.
where_things_are() {
	lab=$(dirname "$("$tree/tests/lab/root" path)")
	results=$lab/check
}

prepare_lab() {
	where_things_are
	mkdir -p "$results"
	exec {lock}>"$results/lock"
	flock --nonblock "$lock" || die "another check.sh is using the lab in $lab"
	run_job lab "$results/lab.log" || die "cannot create the lab: nothing was tested"
	# A part by name in a new lab: what all parts need comes first.
	if [ ! -x "$lab/root/build/src/configure" ] && [ "${parts[0]}" != bootstrap ]; then
		parts=(bootstrap "${parts[@]}")
	fi
}

in_lab() {
	"$tree/tests/lab/enter" "${network[@]}" -- "$@"
}

# All parts use one copy of the sources, so that edits in the meantime do no harm.
copy_sources() {
	local -a network=()
	in_lab /src/tests/ci/copy-source /src /build/src
}

# The part fresh needs a minimal Debian: a temporary lab of its own.
in_fresh_lab() {
	local status=0
	export OMSMTPBLOCK_LAB=$lab/fresh
	"$tree/tests/lab/root" remove
	{ "$tree/tests/lab/root" ensure && copy_sources && in_lab "$1"; } || status=$?
	"$tree/tests/lab/root" remove
	return "$status"
}

# in_stock_lab RELEASE COMMAND...: in a lab of that release with only the group "stock".
in_stock_lab() {
	local packages=$lab/root/build/package
	export OMSMTPBLOCK_SUITE=$1 OMSMTPBLOCK_LAB=$lab/stock-$1
	shift
	[ -e "$packages/next.deb" ] || die "the part package has to run first"
	"$tree/tests/lab/root" ensure stock && copy_sources &&
		"$tree/tests/lab/enter" --bind "$packages=/build/package" -- \
			"$@"
}

run_part() {
	local script=/build/src/tests/ci/$1 release=${1#*-}
	local -a network=()
	case $1 in
	lab) "$tree/tests/lab/root" ensure build package test && copy_sources ;;
	bootstrap) network=(--with-network); in_lab "$script" ;;
	package) in_lab "$script" build ;;
	package-*) (in_stock_lab "$release" "${script%-*}" installed "$release") ;;
	walk-*) (in_stock_lab "$release" "${script%-*}" "$release") ;;
	fresh) network=(--with-network); (in_fresh_lab "$script") ;;
	*) in_lab "$script" ;;
	esac
}

# Counts the TAP of one part: "passed failed skipped". A missing plan, a number of points
# other than planned, no points at all or "Bail out!" is one more failure.
tally() {
	awk '
	/^(not )?ok([ \t]|$)/ {
		ran++
		if (tolower($0) ~ /#[ \t]*skip/) skipped++
		else if ($1 == "ok") passed++
		else failed++
	}
	/^1\.\.[0-9]+/ {
		plans++
		planned = substr($1, 4) + 0
		if (planned == 0 && tolower($0) ~ /#[ \t]*skip/) { skipped++; whole = 1 }
	}
	/^Bail out!/ { failed++; whole = 1 }
	END {
		if (!whole && (plans != 1 || planned != ran || ran == 0)) failed++
		print passed + 0, failed + 0, skipped + 0
	}' "$1"
}

report_part() {
	local part=$1 status=$2 seconds=$3 p f s
	read -r p f s < <(tally "$results/$part.tap")
	# A failure that no point reports, such as that of a sanitizer at exit.
	[ "$status" = 0 ] || [ "$f" != 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf -- '---- %s: %d passed, %d failed, %d skipped, %d s\n' \
		"$part" "$p" "$f" "$s" "$seconds"
	grep -E '^1\.\.[0-9]+' "$results/$part.tap" >/dev/null ||
		printf -- '---- %s: did not run to its end\n' "$part"
}

# Points that failed, and skipped ones with what they lack: so they are not lost among
# thousands of others.
report_rest() {
	local part
	for part in "${parts[@]}"; do
		grep -hiE '^(not ok|bail out!)|^(ok|1\.\.0).*# *skip' "$results/$part.tap" || true
	done
}

main() {
	local part started status
	chosen_parts "$@"
	[ "$(id -u)" = 0 ] || die "needs root, for the lab's namespaces: sudo $0${*:+ $*}"
	alive=$(mktemp)
	trap 'rm -f "$alive"' EXIT
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM
	trap 'interrupted 129' HUP
	prepare_lab
	for part in "${parts[@]}"; do
		printf -- '---- %s\n' "$part"
		started=$SECONDS
		status=0
		run_job "$part" "$results/$part.tap" || status=$?
		report_part "$part" "$status" $((SECONDS - started))
	done
	printf -- '---- all parts: %d s\n' "$SECONDS"
	report_rest
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ]
}

# A shell that starts this script in the background makes it ignore INT, and bash cannot
# reset a signal that it was started with ignored. HUP stays ignored here under nohup; the
# parts get the default back.
default_signals() {
	[ "${OMSMTPBLOCK_CHECK_SIGNALS:-}" != "$$" ] || return 0
	export OMSMTPBLOCK_CHECK_SIGNALS=$$
	exec env --default-signal=INT,TERM,QUIT,PIPE "$tree/check.sh" "$@"
}

case ${1:-} in
--help) usage; exit 0 ;;
--inside) where_things_are; run_part "$2"; exit ;;
-*) die "unknown option $1 (see --help)" ;;
esac
exec </dev/null
default_signals "$@"
main "$@"
