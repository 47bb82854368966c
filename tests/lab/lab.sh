# Shared by the scripts in tests/lab: the lab's directory, and messages.
# shellcheck shell=bash
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

# Every message names its script, to find it in a long log.
say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "needs root: sudo $0 $*"
}

# The lab has the host's release if that is Debian: the module is built and tested with the
# versions that the host would run. OMSMTPBLOCK_SUITE selects another.
lab_suite() {
	printf '%s\n' "${OMSMTPBLOCK_SUITE:-$(host_suite)}"
}

host_suite() {
	local id codename
	id=$(. /etc/os-release && printf %s "${ID:-}")
	codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME:-}")
	if [ "$id" = debian ] && [ -n "$codename" ]; then
		printf '%s\n' "$codename"
	else
		printf 'bookworm\n'
	fi
}

# A lab is a directory: root/ is the Debian tree, have/ has the complete groups, lock and
# users are the two lock files.
lab_dir() {
	printf '%s\n' "${OMSMTPBLOCK_LAB:-/var/cache/omsmtpblock/lab-$(lab_suite)}"
}

source_dir() {
	(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
}

# Later mounts must not reach the host. In a chroot whose / is not a mount point mount(8)
# cannot change its propagation; nsenter into the current namespace leads to the namespace's
# own root, where it can.
make_mounts_private() {
	mount --make-rprivate / 2>/dev/null ||
		nsenter --mount=/proc/self/ns/mnt mount --make-rprivate / 2>/dev/null ||
		! grep -q ' shared:' /proc/self/mountinfo ||
		die "cannot make this mount namespace private"
}
