"""What the tests of smtpblockctl test and replay share: running it, golden files,
TAP.

Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""

import os
import pathlib
import subprocess
import sys

SOURCES = pathlib.Path(os.environ.get("SOURCES") or pathlib.Path(__file__).parents[2])
DATA = pathlib.Path(os.environ.get("TEST_DATA") or SOURCES / "tests/data")
GOLDEN = SOURCES / "tests/tool/golden"
TOOL = pathlib.Path(os.environ.get("BUILD") or ".") / "smtpblockctl"

_points = {"done": 0, "failed": 0}


def tool(*arguments, text=b"", **environment):
    """(status, stdout, stderr) of a run, all of it bytes."""
    done = subprocess.run([TOOL, *arguments], input=text, capture_output=True, timeout=120,
                          env={**os.environ, "TZ": "UTC0", "LC_ALL": "C", **environment})
    return done.returncode, done.stdout, done.stderr


def point(good, name, *details):
    _points["done"] += 1
    _points["failed"] += not good
    print(f"{'ok' if good else 'not ok'} {_points['done']} - {name}")
    for detail in () if good else details:
        for line in str(detail).split("\n"):
            print(f"#   {line}")
    return good


def same(name, want, got):
    return point(want == got, name, f"want: {want!r}", f"got:  {got!r}")


def golden(name, got):
    """The output equals the file. GOLDEN_UPDATE=yes rewrites the file; review it before you
    commit it."""
    path = GOLDEN / name
    if os.environ.get("GOLDEN_UPDATE") == "yes":
        path.write_bytes(got)
    want = path.read_bytes() if path.exists() else b""
    lines = [(number, a, b) for number, (a, b) in enumerate(
        zip(want.splitlines() + [b""], got.splitlines() + [b""]), 1) if a != b]
    return point(want == got, f"as in {name}", *[
        f"line {number}: want {a!r}\n          got  {b!r}" for number, a, b in lines[:5]],
        f"{len(want)} and {len(got)} bytes")


def refused(name, status, wants, *arguments, text=b""):
    """The run exits with this status, prints one line with these words on stderr, and nothing
    on stdout."""
    got, out, err = tool(*arguments, text=text)
    return point(got == status and err.count(b"\n") == 1 and wants.encode() in err and not out,
                 name, f"want status {status} and {wants!r}", f"got {got}, {out!r}, {err!r}")


def end():
    print(f"1..{_points['done']}")
    sys.exit(1 if _points["failed"] else 0)
