# Shared by the scripts in tests/lab: where the lab is, and how to speak.
# shellcheck shell=bash
#
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0

# Every message names its script, so that it can be found in a long log.
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

# The lab has the host's release where that is Debian's: the module is built
# against, and tried with, what the host itself would run. OMSMTPBLOCK_SUITE asks
# for another.
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

# A lab is a directory: root/ is the Debian tree, have/ says which groups are
# complete in it, lock and users are the two lock files.
lab_dir() {
	printf '%s\n' "${OMSMTPBLOCK_LAB:-/var/cache/omsmtpblock/lab-$(lab_suite)}"
}

source_dir() {
	(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
}

# Nothing that is mounted from here on may reach the host. In a chroot whose
# / is no mount point mount(8) cannot change it by that name; nsenter into the
# namespace we are in already leads to the namespace's own root, which can.
make_mounts_private() {
	mount --make-rprivate / 2>/dev/null ||
		nsenter --mount=/proc/self/ns/mnt mount --make-rprivate / 2>/dev/null ||
		! grep -q ' shared:' /proc/self/mountinfo ||
		die "cannot make this mount namespace private"
}
