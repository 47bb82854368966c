# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The manual's examples: rsyslogd -N1 accepts each unchanged, and those in which hosts
talk to each other work as described.

Every other line of configuration in the manual is loaded too.
"""

import re
from pathlib import Path

from lib import rsyslog
from lib.netns import run
from lib.scenario import lone_rsyslogd, reject_line, workdir

MANUAL = Path(__file__).resolve().parents[2] / "doc" / "omsmtpblock.rst"
TITLES = ("Basic", "With nftables", "At the connection", "Large waves", "Guessed passwords",
          "Relayed logs", "Fleet", "A hardened unit")

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


def loadable(text):
    """With the module under test, and a user that the lab has."""
    path = rsyslog.module_path()
    text = text.replace("DropToUser syslog", "DropToUser nobody")
    text = text.replace("DropToGroup syslog", "DropToGroup nogroup")
    if 'load="omsmtpblock"' not in text:
        text = f'module(load="{path}")\n{text}'
    return text.replace('load="omsmtpblock"', f'load="{path}"')


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


def scenario(points):
    directory = workdir() / "check"
    directory.mkdir()
    found = examples()
    points.equal(tuple(title for title, _ in found), TITLES, "the manual has its examples")
    above = [(f"configuration {number} above", text) for number, text in enumerate(fragments(), 1)]
    for title, text in found + above:
        with points.part(title):
            loads(points, directory, title, text)
    run("ip", "link", "set", "lo", "up")
    points.parts((fleet,), dict(found)["Fleet"])
    points.parts((relayed,), dict(found)["Relayed logs"])
