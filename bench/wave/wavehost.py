# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""One mail host as seen by the program that runs the wave: a program in its namespaces."""

import os
import select
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from lib import isolate  # noqa: E402

import results  # noqa: E402


def words_of(wave):
    """The parameters of a wave as arguments of mailhost.py."""
    return [word for name in results.PARAMETERS for word in (f"--{name}", str(wave[name]))]


class Host:
    """A mail host in its namespaces, and the directory of its results.

    `program` is mailhost.py or one like it, and `words` are its arguments. Results and logs
    go to directories with the host's name, in `output` and in `work`. `read` makes what
    finish() returns of the name and the directory of the results.
    """

    def __init__(self, name, program, words, *, output, work, read=results.Run):
        self.name = name
        label = name.replace(" ", "-")
        self.results, self.work = output / label, work / label
        for directory in (self.results, self.work):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        self._read = read
        with open(self.work / "errors", "wb") as errors:
            self.process = subprocess.Popen(
                isolate.command(program, *words, "--results", str(self.results), "--work",
                                str(self.work)),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})

    def wait_until_ready(self, deadline):
        readable, _, _ = select.select([self.process.stdout], [], [], deadline)
        if not readable or self.process.stdout.readline().strip() != "ready":
            self.fail()

    def begin(self, start):
        """Sets the monotonic time at which the wave begins."""
        self.process.stdin.write(f"{start}\n")
        self.process.stdin.close()

    def finish(self, deadline):
        try:
            status = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.fail()
        if status:
            self.fail()
        return self._read(self.name, self.results)

    def fail(self):
        """Kills the host, and exits with its last output."""
        self.process.kill()
        sys.exit(f"the mail host {self.name} failed:\n" + "\n".join(
            (self.work / "errors").read_text(errors="replace").splitlines()[-15:])
            + f"\nIts logs are in the lab, in {self.work}.")

    def progress(self, seconds):
        """Slots and the ordinary sender's accepted mails at that second."""
        looks = [look for look in results.looks(self.results) if look.seconds <= seconds]
        mails = [mail for mail in results.mails(self.results) if mail.due <= seconds]
        accepted = sum(mail.accepted and mail.due + mail.wait <= seconds for mail in mails)
        slots = looks[-1].slots if looks else 0
        return f"{slots:>8}{accepted:>12}"
