#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""PID 1 of a scenario: isolate.py COMMAND...

Started in new mount, PID, IPC, UTS and network namespaces. Gives the command its own
/proc, /dev, /run and /tmp, so that /dev/log and pid files are private, collects orphans as
an init does, and exits with the command's status. Signals that the caller ignores (nohup)
have their default effect on the command.
"""

import os
import signal
import subprocess
import sys

NAMESPACES = ("unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child")
NODES = ("null", "zero", "full", "random", "urandom", "tty")
LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}


def command(program, *words):
    """The command that runs a Python program in its own namespaces."""
    return [*NAMESPACES, sys.executable, __file__, sys.executable, str(program), *words]


def scenario(path, *words):
    """The same for a scenario."""
    return command(os.path.join(os.path.dirname(__file__), "play.py"), str(path), *words)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def private_dev():
    """Bind-mounts the nodes from the old /dev, which a new tmpfs then covers."""
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/mnt")
    for node in NODES:
        open(f"/mnt/{node}", "wb").close()
        mount("--bind", f"/dev/{node}", f"/mnt/{node}")
    for name, target in LINKS.items():
        os.symlink(target, f"/mnt/{name}")
    os.mkdir("/mnt/shm", 0o1777)
    mount("--rbind", "/mnt", "/dev")


def private_mounts():
    mount("-t", "proc", "proc", "/proc")
    mount("-t", "sysfs", "sysfs", "/sys")
    private_dev()
    mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")


def reap_until_end_of(main):
    while True:
        pid, status = os.wait()
        if pid == main:
            return os.waitstatus_to_exitcode(status)


def main():
    private_mounts()
    subprocess.run(["hostname", "mx.lab"], check=True)
    resettable = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, setsigdef=resettable)
    status = reap_until_end_of(child)
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
