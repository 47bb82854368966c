# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The lab's Debian as a newly installed machine: its own systemd is PID 1.

All units are the distribution's, unchanged. Writes go to an overlay in memory above the
lab's tree, which is removed afterwards. The network is the caller's.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from lib.ctl import Result
from lib.netns import run
from lib.wait import wait_for

# In new namespaces, with a new control group namespace: an empty layer above the tree, the
# lab's mounts, and systemd. Package scripts may start services. There is no limit on
# restarts, as a test is faster than any admin.
BOOT = r"""
set -e
mount --make-rprivate /
mkdir -p /run/machine
mount -t tmpfs tmpfs /run/machine
mkdir /run/machine/upper /run/machine/work /run/machine/root
cd /run/machine
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
for directory in dev src build; do mount --rbind "/$directory" "$directory"; done
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
rm -f usr/sbin/policy-rc.d
mkdir -p etc/systemd/system.conf.d
printf '[Manager]\nDefaultStartLimitIntervalSec=0\n' >etc/systemd/system.conf.d/lab.conf
exec env -i container=lab PATH=/usr/sbin:/usr/bin \
    chroot . /usr/lib/systemd/systemd --unit=multi-user.target
"""

# Options of nsenter(1): every namespace that differs.
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def missing():
    """What a machine needs and this kernel does not have, or None."""
    known = Path("/proc/filesystems").read_text().split()
    return next((name for name in ("overlay", "cgroup2") if name not in known), None)


def attributes(path):
    """Mode and owner; of a file its time and content, of a link its target."""
    stat = path.lstat()
    what = os.readlink(path) if path.is_symlink() else None
    if path.is_file() and not path.is_symlink():
        what = stat.st_mtime_ns, path.read_bytes()
    return stat.st_mode, stat.st_uid, stat.st_gid, what


class Groups:
    """A separate control group in which systemd keeps its units."""

    def __init__(self):
        self._mount = Path("/run/cgroup")
        self._mount.mkdir(exist_ok=True)
        run("mount", "-t", "cgroup2", "cgroup2", self._mount)
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
        self._path = self._mount / own / f"omsmtpblock-{os.urandom(4).hex()}"
        self._path.mkdir()

    def join(self):
        (self._path / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        wait_for(self._is_empty, 10, "the machine's control groups to be empty")
        for directory, _, _ in os.walk(self._path, topdown=False):
            os.rmdir(directory)
        run("umount", self._mount)

    def _is_empty(self):
        return "populated 0" in (self._path / "cgroup.events").read_text()


class Machine:
    """Use as a context manager: it is booted on entry and removed on exit."""

    def __enter__(self):
        self._groups = Groups()
        self._outer = subprocess.Popen(
            ["unshare", "--cgroup", "--mount", "--pid", "--ipc", "--uts", "--fork",
             "--kill-child", "bash", "-c", BOOT], stdin=subprocess.DEVNULL,
            stdout=sys.stderr, stderr=sys.stderr, preexec_fn=self._groups.join)
        try:
            self._init = wait_for(self._find_init, 10, "systemd to be started")
            wait_for(self._has_booted, 60, "the machine to boot")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._outer.send_signal(signal.SIGKILL)
        self._outer.wait()
        self._groups.remove()

    def _find_init(self):
        """The child of unshare(1), once it is systemd."""
        if self._outer.poll() is not None:
            raise RuntimeError(f"the machine did not boot: status {self._outer.returncode}")
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text()
        for pid in children.split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return int(pid)
        return None

    def _has_booted(self):
        """All jobs of the boot are done; some units may fail in a chroot."""
        return self.sh("systemctl is-system-running").out.strip() in ("running", "degraded")

    def root(self, path):
        """A path of the machine, as seen from outside."""
        return Path(f"/proc/{self._init}/root") / str(path).lstrip("/")

    def files(self, path):
        """Every file below this directory: its attributes and content."""
        top = self.root(path)
        return {str(file.relative_to(top)): attributes(file) for file in top.rglob("*")}

    def sh(self, text):
        """Runs a command as an admin types it."""
        done = subprocess.run(
            ["nsenter", *NAMESPACES, f"--target={self._init}", f"--root=/proc/{self._init}/root",
             f"--wd=/proc/{self._init}/root/root", "bash", "-c", text], env=ENVIRONMENT,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        return Result(done)
