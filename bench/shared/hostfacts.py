# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The machine for which the absolute figures hold."""

import os
import platform
import re
import subprocess
from pathlib import Path


def first_line(*command):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.split("\n", 1)[0].strip()


def cpu_model():
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return found.group(1) if found else platform.machine()


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def list_holds():
    """The kernel's limit for each list of xt_recent; None if there is no xt_recent."""
    path = Path("/sys/module/xt_recent/parameters/ip_list_tot")
    return int(path.read_text(encoding="ascii")) if path.exists() else None


def facts():
    return {"cpu": cpu_model(), "processors": os.cpu_count(), "kernel": platform.release(),
            "rsyslog": first_line("rsyslogd", "-v").split("(")[0].strip(),
            "libc": " ".join(platform.libc_ver()), "list holds": list_holds(),
            "load before": load()}


def describe(known):
    """The same as text, with the current load."""
    known["load after"] = load()
    return "; ".join(f"{name} {value}" for name, value in known.items())
