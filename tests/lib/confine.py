#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Starts a program with a hardened systemd unit's restrictions: confine.py JSON COMMAND...

command() returns such a command. It sets what systemd sets for

    SystemCallFilter=          a filter that kills the process for any other call
    RestrictAddressFamilies=   without AF_NETLINK: socket(2) fails with EAFNOSUPPORT
    MemoryDenyWriteExecute=    PR_SET_MDWE

Landlock stands in for a profile of AppArmor or SELinux that hides other processes from a
process with all capabilities. The sets of calls (@system-service) are systemd's own.
"""

import ctypes
import errno
import json
import os
import re
import socket
import struct
import subprocess
import sys

# linux/prctl.h, linux/seccomp.h, linux/filter.h, linux/bpf_common.h
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_GET_MDWE = 22, 38, 65, 66
MDWE_REFUSE_EXEC_GAIN = 1
SECCOMP_MODE_FILTER = 2
KILL_PROCESS, ERRNO, ALLOW = 0x80000000, 0x00050000, 0x7fff0000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
NR, FIRST_ARGUMENT = 0, 16
# asm-generic/unistd.h, linux/landlock.h
LANDLOCK_CREATE_RULESET, LANDLOCK_RESTRICT_SELF = 444, 446
LANDLOCK_VERSION, LANDLOCK_MAKE_BLOCK = 1, 1 << 11

LIBC = ctypes.CDLL(None, use_errno=True)


def command(*, calls=(), netlink=True, write_execute=True, processes=True):
    """The words to put in front of a command; `calls` are names and sets; empty allows any."""
    options = {"calls": list(calls), "netlink": netlink, "write_execute": write_execute,
               "processes": processes}
    return sys.executable, os.path.abspath(__file__), json.dumps(options)


def can_deny_write_execute():
    return LIBC.prctl(PR_GET_MDWE, 0, 0, 0, 0) >= 0


def can_hide_processes():
    return LIBC.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION) >= 1


def _hide_processes():
    """A process in a Landlock domain may neither trace nor inspect processes outside it."""
    handled = ctypes.c_uint64(LANDLOCK_MAKE_BLOCK)
    rules = LIBC.syscall(LANDLOCK_CREATE_RULESET, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if rules < 0 or LIBC.syscall(LANDLOCK_RESTRICT_SELF, rules, 0) != 0:
        sys.exit(f"confine: landlock: {os.strerror(ctypes.get_errno())}")
    os.close(rules)


def _sets():
    """systemd's sets: name to members."""
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    sets, name = {}, None
    for line in text.splitlines():
        word = line.split("#")[0].strip()
        if word.startswith("@") and not line[:1].isspace():
            name = word
        elif word and name:
            sets.setdefault(name, []).append(word)
    return sets


def expand(names, sets):
    found = set()
    for name in names:
        found |= expand(sets[name], sets) if name.startswith("@") else {name}
    return found


def numbers():
    """Each system call's number on this machine, from the kernel headers."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)$", text,
                                                             re.M)}


def _step(code, value, if_so=0, if_not=0):
    return struct.pack("=HBBI", code, if_so, if_not, value)


def program(options):
    """The filter: refuse netlink, allow the named calls, kill the process for any other."""
    known = numbers()
    steps = [_step(LOAD, NR)]
    if not options["netlink"]:
        steps += [_step(EQUAL, known["socket"], 0, 4), _step(LOAD, FIRST_ARGUMENT),
                  _step(EQUAL, socket.AF_NETLINK, 0, 1),
                  _step(RETURN, ERRNO | errno.EAFNOSUPPORT), _step(LOAD, NR)]
    for name in sorted(expand(options["calls"], _sets())):
        if name in known:
            steps += [_step(EQUAL, known[name], 0, 1), _step(RETURN, ALLOW)]
    steps.append(_step(RETURN, KILL_PROCESS if options["calls"] else ALLOW))
    return steps


def _prctl(*arguments):
    if LIBC.prctl(*arguments) != 0:
        sys.exit(f"confine: prctl({arguments[0]}): {os.strerror(ctypes.get_errno())}")


def _set_filter(steps):
    code = ctypes.create_string_buffer(b"".join(steps))
    fprog = struct.pack("@HP", len(steps), ctypes.addressof(code))
    _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.c_char_p(fprog), 0, 0)


def main():
    options = json.loads(sys.argv[1])
    if not options["write_execute"]:
        _prctl(PR_SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
    if not options["processes"]:
        _hide_processes()
    if options["calls"] or not options["netlink"]:
        _set_filter(program(options))
    os.execvp(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
