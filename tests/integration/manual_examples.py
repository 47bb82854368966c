# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Examples to copy: those of the manual, and rsyslog.d/omsmtpblock.conf.

rsyslogd -N1 accepts each unchanged; every other line of configuration in the manual, too,
and every default that the file shows as a comment. Those in which hosts talk to each other
work as described. The file blocks a listed client.
"""

import re
import shutil
from pathlib import Path

from lib import rsyslog
from lib.firewall import kernel_list
from lib.netns import run
from lib.rsyslog import Rsyslog
from lib.scenario import listed, lone_rsyslogd, mail_host, reject_line, workdir

TREE = Path(__file__).resolve().parents[2]
MANUAL, EXAMPLE = TREE / "doc" / "omsmtpblock.rst", TREE / "rsyslog.d" / "omsmtpblock.conf"
TITLES = ("Basic", "With nftables", "At the connection", "Large waves", "Guessed passwords",
          "Relayed logs", "Fleet", "To a proxy", "To a proxy", "A hardened unit")

# Distinguishes rsyslog's configuration from commands and rules.
LOADS = re.compile(r"^[^#\n]*\b(module|action)\(", re.M)

# What -N1 prints for an example; for all others nothing.
WARNINGS = {"Relayed logs": 'verify="none" believes every line',
            "Large waves": 'verify="sender" believes $!pid and $!uid',
            "Guessed passwords": "this trigger needs the sender's credentials"}


def blocks(text):
    """The code blocks of a part, without indentation."""
    found = re.findall(r"^\.\. code-block:: none\n\n((?:(?:   .*)?\n)+)", text, re.M)
    return [re.sub(r"^   ", "", block, flags=re.M).strip() + "\n" for block in found]


def examples():
    """(title, configuration) of the manual's last part but one."""
    text = MANUAL.read_text(encoding="utf-8")
    part = re.search(r"^Examples\n=+\n(.*?)^[^\n]+\n==+\n", text, re.M | re.S).group(1)
    titled = re.split(r"^([^\n]+)\n--+\n", part, flags=re.M)
    return [(title, block) for title, body in zip(titled[1::2], titled[2::2])
            for block in blocks(body) if LOADS.search(block)]


def fragments():
    """Configuration before that part."""
    text = MANUAL.read_text(encoding="utf-8").split("\nExamples\n====")[0]
    return [block for block in blocks(text) if LOADS.search(block)]


def with_module(text):
    """The module by its path."""
    return text.replace('load="omsmtpblock"', f'load="{rsyslog.module_path()}"')


def loadable(text):
    """With the module under test, and a user that the lab has."""
    text = text.replace("DropToUser syslog", "DropToUser nobody")
    text = text.replace("DropToGroup syslog", "DropToGroup nogroup")
    return with_module(text if 'load="omsmtpblock"' in text else
                       f'module(load="omsmtpblock")\n{text}')


def loads(points, directory, title, text):
    config = directory / "example.conf"
    inputs = "" if "imuxsock" in text or "imtcp" in text else 'module(load="imuxsock")\n'
    other = 'mail.* action(type="omfile" file="/dev/null")\n'
    config.write_text(inputs + loadable(text) + other)
    status, output = rsyslog.validate(config)
    said = [line for line in output.replace(str(config), "").splitlines()
            if "omsmtpblock" in line or "error" in line or "warning" in line]
    wanted = WARNINGS.get(title)
    points.equal(status, 0, "-N1 accepts it", output)
    points.ok(len(said) == 1 and wanted in said[0] if wanted else not said,
              "with a warning about what is given up" if wanted else "silently", output)


def as_lab(text, address):
    """One host acts as a whole fleet: it applies under another name what it reports. The
    kernel's list is not under test here, and these clients have no smtpd to check."""
    text = text.replace(f'"{address}"', '"127.0.0.1"')
    text = re.sub(r'^module\(load="(imuxsock|omsmtpblock)".*\)\n', "", text, flags=re.M)
    text = re.sub(r'statsName="(\w+)"', r'statsName="\1" list="\1" list6="\g<1>6"', text)
    text = text.replace('allow=["192.0.2.0/24"]', 'allow=["10.9.4.2"] backend="null"')
    return text.replace('eventRuleset="blocks"', 'eventRuleset="blocks" verify="none" '
                                                 'backend="null"')


def fleet(points, text):
    with lone_rsyslogd(points, as_lab(text, "192.0.2.12"), "fleet") as daemon:
        for number in (1, 2, 3):
            rsyslog.log(reject_line(f"10.9.4.{number}"))
        points.until(lambda: daemon.counters("applied").get("blocks") == 2, 10,
                     "what one host blocks the other applies")
        points.equal(daemon.counters("applied"), {"lines": 3, "triggers": 3, "allowed": 1,
                                                  "blocks": 2}, "but not what it allows")
        own = daemon.counters("own")
        points.equal((own["blocks"], own["events"]), (3, 3), "there is no loop")


def relayed(points, text):
    text = text.replace("192.0.2.11", "127.0.0.1").replace('verify="none"',
                                                           'verify="none" backend="null"')
    text = re.sub(r'^module\(load="omsmtpblock".*\)\n', "", text, flags=re.M)
    with lone_rsyslogd(points, text, "relayed") as daemon:
        for priority in ("mail.info", "mail.err"):
            run("logger", "-n", "127.0.0.1", "-P", "10514", "-T", "-p", priority, "-t",
                "courieresmtpd", "--", reject_line("10.9.4.1"))
        points.until(lambda: daemon.counters().get("blocks") == 1, 10,
                     "a reject of another host blocks here")
        points.equal(daemon.counters()["lines"], 1, "only courier's errors count")


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
        example = self.workdir / "example.conf"
        example.write_text(with_module(EXAMPLE.read_text()))
        self.config.write_text(f'global(workDirectory="{self.workdir}")\n'
                               f'include(file="{example}")\n{files}')
        if 'load="imuxsock"' not in re.sub(r"^\s*#.*$", "", EXAMPLE.read_text(), flags=re.M):
            self.config.write_text('module(load="imuxsock")\n' + self.config.read_text())
        return self.config


def for_real(points, host):
    host.rsyslog.stop()
    shutil.rmtree(host.rsyslog.workdir)
    with ExampleRsyslog(workdir()) as host.rsyslog:
        host.block(listed(1))
        host.list6.remove()
        with kernel_list(6, mask="ffff:ffff:ffff:ffff::") as host.list6:
            host.block(listed(1, 6))
            points.equal(host.list6.addresses(), {"fd00:9::"}, "the /64 is blocked")
        points.equal(host.rsyslog.logged("error during|omsmtpblock:.*not"), [], "no complaints")


def scenario(points):
    directory = workdir() / "check"
    directory.mkdir()
    found = examples()
    points.equal(tuple(title for title, _ in found), TITLES, "the manual has its examples")
    above = [(f"configuration {number} above", text) for number, text in enumerate(fragments(), 1)]
    text, shown = EXAMPLE.read_text(), uncommented(EXAMPLE.read_text())
    points.ok(shown != text, "the file shows defaults as comments")
    for title, text in found + above + [("the file", text), ("with every line uncommented", shown)]:
        with points.part(title):
            loads(points, directory, title, text)
    run("ip", "link", "set", "lo", "up")
    points.parts((fleet,), dict(found)["Fleet"])
    points.parts((relayed,), dict(found)["Relayed logs"])
    with mail_host(points, "") as host:
        host.parts(for_real)
