# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl of the build under test."""

import json
import os
import subprocess
from pathlib import Path


def tool_path():
    """Beside the module or one directory above: libtool puts it into a subdirectory."""
    directory = Path(os.environ.get("OMSMTPBLOCK_MODULE_DIR", "."))
    found = [path for path in (directory / "smtpblockctl", directory.parent / "smtpblockctl")
             if path.exists()]
    return os.environ.get("OMSMTPBLOCK_CTL") or str((found or ["smtpblockctl"])[0])


class Result:
    """The result of a run."""

    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"status {self.status}\n{self.out}{self.err}"


def ctl(*words, config=None, prefix=(), text=None):
    """Runs it; `config` is rsyslog's, `prefix` a command in front of it."""
    options = ["--config", str(config)] if config else []
    return Result(subprocess.run([*prefix, tool_path(), *options, *words], input=text,
                                 capture_output=True, text=True, timeout=60, check=False))
