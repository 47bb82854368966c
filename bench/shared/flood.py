# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Floods of lines (bench/burst/flood.c), and an rsyslogd that reports when it has handled
the last one."""

import subprocess

from lib.rsyslog import Rsyslog
from shared.partfile import Wrong

PORT = 5140


def make_board(options):
    """The file to which all programs write their times; see bench/latency/board.h."""
    path = options.work / "board"
    path.write_bytes(bytes(4096))
    path.chmod(0o666)
    return path


def rsyslogd(options, action, board):
    """Not yet started. It takes lines on both inputs; mail.err gets the action, and the
    flood's last line is noted on the board."""
    return Rsyslog(
        options.work, settings=(
            'main_queue(queue.workerThreads="1")\nmodule(load="imptcp")\n'
            f'input(type="imptcp" address="127.0.0.1" port="{PORT}")\n'
            f'module(load="{options.programs}/omfloor.so")\n'
            'template(name="least" type="string" string="%syslogseverity%")\n'),
        rules=f'local7.* action(type="omfloor" template="least" mode="note" board="{board}")\n'
              f'mail.err {action}\n', imuxsock="", socket_path=options.work / "log", quiet=True)


def known(variants, rsyslogd_of):
    """Without variants that this build does not support."""
    good = []
    for variant in variants:
        if rsyslogd_of(variant).validate()[0] == 0:
            good.append(variant)
        else:
            print(f"left out, as this build does not know it: {variant.name}")
    return good


def flood(options, board, lines, *more, to=f"tcp:{PORT}"):
    """Seconds from the first line to the end of the last one."""
    result = subprocess.run([options.programs / "flood", f"--to={to}", f"--lines={lines}", *more,
                             board], stdout=subprocess.PIPE, text=True, check=False, timeout=300)
    if result.returncode:
        raise Wrong(f"flood ended with status {result.returncode}")
    return int(result.stdout) / 1e9
