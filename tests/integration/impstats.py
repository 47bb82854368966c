# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The counters in impstats: one object per action, and what each DNSBL zone saved."""

import json

from lib import instrument, rsyslog
from lib.rsyslog import action
from lib.scenario import listed, mail_host, reject_line, workdir

OUT = "impstats.json"
# impstats of 8.2302 calls strlen() on an unterminated line if the line fills its buffer.
# The sanitizer's strlen() would terminate rsyslogd for it.
instrument.ADDRESS_OPTIONS = ":intercept_strlen=0:replace_str=0"


def objects(path):
    """The last object of each name that impstats has written."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line[line.index("{"):]) for line in lines if '"omsmtpblock"' in line]
    return {each["name"]: each for each in found}


def shown(path, name):
    """The counters that impstats shows for an action, without those that are 0."""
    return {key: value for key, value in objects(path).get(name, {}).items()
            if value and key not in ("name", "origin")}


def scenario(points):
    path = workdir() / OUT
    load = f'module(load="impstats" interval="1" format="json" log.syslog="off"' \
        f' log.file="{path}")\n'
    rules = action() + action("mail.info", trigger="auth", threshold=5, list="guesser",
                              list6="guesser6", backend="null", statsName="guessers")
    with mail_host(points, rules, settings=load) as host:
        points.until(lambda: {"spammer", "guessers"} <= set(objects(path)), 10,
                     "each action has an object, named by list or statsName")
        host.rejects(listed(1))
        rsyslog.log(reject_line(listed(2)))
        for name in ("saved.bl.lab", "resets"):
            points.until(lambda: shown(path, "spammer").get(name) == 1, 10,
                         f"{name} is counted", lambda: shown(path, "spammer"))
        said = host.rsyslog.counters()
        points.until(lambda: {key: value for key, value in shown(path, "spammer").items()
                              if key != "saved.bl.lab"} == said, 5,
                     "impstats shows what HUP logs", lambda: (shown(path, "spammer"), said))
        points.ok(said["blocks"] == said["ended"] == 1 and said["refused.sender"] == 1,
                  "one block, one forged line refused", said)
        points.ok(set(objects(path)["guessers"]) >= set(said), "the other action has the same",
                  objects(path)["guessers"])
