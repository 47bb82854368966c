# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The examples of smtpblockctl(8) and of every --help, typed one after the other."""

# backends: both

import os
import re
import subprocess
import tempfile
from pathlib import Path

from lib.ctl import ctl, tool_path
from lib.firewall import backend
from lib.netns import run

PAGE = Path(__file__).resolve().parents[2] / "doc/smtpblockctl.8"

# Those that need a mail host and its log; tests/tool and ctl_check test them.
ELSEWHERE = ("check", "test", "replay", "why")

CONFIG = f"""mail.err action(type="omsmtpblock" backend="{backend()}")
mail.info action(type="omsmtpblock" backend="{backend()}" list="probers" list6="probers6"
                 trigger="auth" threshold="5")
"""

# With the default lists alone, as in the examples of add, del and flush.
PLAIN = CONFIG.splitlines(keepends=True)[0]


def of_page():
    """The indented displays of EXAMPLES."""
    examples = PAGE.read_text(encoding="utf-8").split(".Sh EXAMPLES")[1].split("\n.Sh ")[0]
    displays = re.findall(r"^\.Bd .*?\n(.*?)^\.Ed", examples, re.M | re.S)
    return [line for display in displays for line in display.splitlines() if line]


def of_help(name):
    text = ctl(name, "--help").out
    return re.findall(r"^  ((?:watch .*|smtpblockctl) .*)$", text, re.M)


def commands():
    return [name for name in re.findall(r"^  ([a-z]+) ", ctl("--help").out, re.M)
            if name not in ELSEWHERE]


def types(points, line):
    """In a shell, without commands that never end and without the other backend."""
    other = {"recent": "nftables", "nftables": "recent"}[backend()]
    if f"setup {other}" in line:
        return
    line = re.sub(r"^watch -n \d+ ", "", line)
    directory = Path(tool_path()).resolve().parent
    environment = os.environ | {"PATH": f"{directory}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], env=environment, text=True,
                          capture_output=True, timeout=60, check=False)
    points.equal((done.returncode, done.stderr), (0, ""), f"$ {line}")


def lists(*words):
    done = ctl("setup", backend(), "--apply", *words)
    assert done.status == 0, done


def scenario(points):
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "rsyslog.conf"
        config.write_text(PLAIN)
        run("mount", "--bind", config, "/etc/rsyslog.conf")
        lists()
        for name in commands():
            ctl("add", "192.0.2.7")
            found = of_help(name)
            points.ok(found, f"{name} --help has examples", found)
            for line in found:
                types(points, line)
        ctl("add", "192.0.2.7")
        for line in of_page():
            if "probers" in line:
                config.write_text(CONFIG)
                lists()
            types(points, line)
        run("umount", "/etc/rsyslog.conf")
