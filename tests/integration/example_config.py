# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslog.d/omsmtpblock.conf, the example to copy: with -N1 and on a mail host.

Unchanged it blocks a listed client. Every default that it shows as a comment is right,
and is accepted when uncommented.
"""

import re
import shutil
from pathlib import Path

from lib import rsyslog
from lib.rsyslog import Rsyslog
from lib.scenario import listed, mail_host, workdir

EXAMPLE = Path(__file__).resolve().parents[2] / "rsyslog.d" / "omsmtpblock.conf"


def installed_example(directory, text):
    """The example as a main configuration: the module by its path, files beside it."""
    text = re.sub(r'module\(load="omsmtpblock"\)', f'module(load="{rsyslog.module_path()}")', text)
    path = directory / "example.conf"
    path.write_text(text)
    return path


def uncommented(text):
    """All "# name="value"" lines inside the action become parameters."""
    return re.sub(r'^(\s*)#\s*([A-Za-z][\w.]*=(?:"[^"]*"|\[[^\]]*\])\s*(?:#.*)?)$', r"\1\2", text,
                  flags=re.M)


class ExampleRsyslog(Rsyslog):
    """rsyslogd with the example and the two files that the tests read."""

    def write_config(self):
        self.workdir.mkdir(exist_ok=True)
        files = (f'template(name="line" type="string" string="{rsyslog.LINE}")\n'
                 f'mail.* action(type="omfile" file="{self.mail_log}" template="line")\n'
                 f'syslog.* action(type="omfile" file="{self.own_log}" template="line")\n')
        example = installed_example(self.workdir, EXAMPLE.read_text())
        self.config.write_text(f'global(workDirectory="{self.workdir}")\n'
                               f'include(file="{example}")\n{files}')
        if 'load="imuxsock"' not in re.sub(r"^\s*#.*$", "", EXAMPLE.read_text(), flags=re.M):
            self.config.write_text('module(load="imuxsock")\n' + self.config.read_text())
        return self.config


def for_real(points, host):
    host.rsyslog.stop()
    shutil.rmtree(host.rsyslog.workdir)
    with ExampleRsyslog(workdir()) as host.rsyslog:
        for family in (4, 6):
            host.block(listed(1, family))
        points.equal(host.rsyslog.logged("error during|omsmtpblock:.*not"), [], "no complaints")


def scenario(points):
    text = EXAMPLE.read_text()
    directory = workdir() / "check"
    directory.mkdir()
    points.ok(uncommented(text) != text, "it shows defaults as comments")
    for label, shown in (("unchanged", text), ("with every line uncommented", uncommented(text))):
        status, output = rsyslog.validate(installed_example(directory, shown))
        points.ok(status == 0, f"{label}: -N1 accepts it", output)
    with mail_host(points, "") as host:
        host.parts(for_real)
