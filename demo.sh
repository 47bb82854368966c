#!/bin/bash
# A spam wave on two real mail hosts at the same time: one without the module,
# one with it.
#
#   sudo ./demo.sh [--addresses N] [--rate N] [--duration SECONDS] [--help]
#
# Nothing is installed or changed on this host except the package debootstrap and the lab,
# a private Debian tree in which everything runs (tests/lab/root). Afterwards figures and
# curves are in demo-output/. The status is 0 only if the wave took all slots of one host
# and the other stayed reachable; 3 if not, and the machine was too busy for the wave.
# Takes about three minutes, less if the lab exists; on a busy machine the wave is slower
# and takes up to four times as long.
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
set -euo pipefail
umask 022

tree=$(cd "$(dirname "$0")" && pwd -P)
output=$PWD/demo-output
build=/build/demo/module
job='' ticker=''

usage() {
	sed -n '2,/^# Copyright/{/^# Copyright/d;s/^# \{0,1\}//;p}' "$0"
}

die() {
	printf 'demo.sh: %s\n' "$*" >&2
	exit 2
}

# Every step is a job, so that a signal to this script terminates it at once. Jobs of a
# script ignore SIGINT, under nohup SIGHUP too; --default-signal resets both. The lab's
# processes inherit the lock on $alive: it is free once the last one has exited.
run_job() {
	local status=0
	exec {held}>"$alive"
	flock --shared "$held"
	env --default-signal "$@" </dev/null &
	job=$!
	exec {held}>&-
	wait "$job" || status=$?
	job=''
	return "$status"
}

# Shows that a silent step is still running.
tick() {
	local nap
	trap 'kill "$nap" 2>/dev/null; exit' TERM
	while :; do
		sleep 10 &
		nap=$!
		wait "$nap"
		printf '    ... %d s\n' "$SECONDS"
	done
}

stop_ticker() {
	[ -z "$ticker" ] || kill "$ticker" 2>/dev/null || true
	ticker=''
}

step() {
	local what=$1 started=$SECONDS status=0
	shift
	printf '%s ...\n' "$what"
	tick &
	ticker=$!
	run_job "$@" || status=$?
	stop_ticker
	[ "$status" = 0 ] || die "$what: failed (status $status)"
	printf '%s: %d s\n' "$what" $((SECONDS - started))
}

# Terminating tests/lab/enter kills every process in the lab, and removes their namespaces
# and mounts.
interrupted() {
	local status=$1
	trap '' INT TERM HUP
	stop_ticker
	printf '\ndemo.sh: interrupted: stopping ...\n' >&2
	if [ -n "$job" ]; then
		kill -TERM "$job" 2>/dev/null || true
		wait "$job" 2>/dev/null || true
	fi
	flock --exclusive --timeout 30 "$alive" true || die "something is still running in the lab"
	printf 'demo.sh: everything has stopped\n' >&2
	exit "$status"
}

lock_demo() {
	mkdir -p "$demo"
	exec {lock}>"$demo/lock"
	flock --nonblock "$lock" || die "another demo.sh is using this lab"
}

# The results get the owner of the current directory.
keep_output() {
	[ -d "$demo/output" ] || return 0
	rm -rf "$output"
	cp -r "$demo/output" "$output"
	chown -R "$(stat -c %u:%g "$PWD")" "$output"
	printf 'In %s: %s\n' "$output" "$(cd "$output" && printf '%s ' *)"
}

main() {
	local status=0
	[ "$(id -u)" = 0 ] || die "needs root, for the lab's namespaces: sudo $0${*:+ $*}"
	step "The lab, a private Debian" "$tree/tests/lab/root" ensure build demo
	demo=$("$tree/tests/lab/root" path)/build/demo
	lock_demo
	rm -rf "$demo/output"
	step "Building the module in it" "$tree/tests/lab/enter" --with-network -- \
		/src/bench/wave/build-module "$build"
	export OMSMTPBLOCK_MODULE_DIR=$build/.libs
	run_job "$tree/tests/lab/enter" -- "$build/bench/wave/run" "$@" || status=$?
	keep_output
	printf 'Total: %d s.\n' "$SECONDS"
	return "$status"
}

case ${1:-} in
--help) usage; exit 0 ;;
esac
alive=$(mktemp)
trap 'stop_ticker; rm -f "$alive"' EXIT
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP
main "$@"
