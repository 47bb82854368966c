# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The runs of the wave: protections, conditions, and their combinations."""

import dataclasses
from pathlib import Path

CONF = Path(__file__).resolve().parent / "conf"

# The file with courier's errors for peers that read a file, in Debian's format.
MAIL_ERR = Path("/run/mail.err")
TO_FILE = f'mail.err action(type="omfile" file="{MAIL_ERR}"' \
          ' template="RSYSLOG_TraditionalFileFormat")'

# The lines that protections act on, as in courier's log.
LINES = {"rejected": r"error,relay=(\S+?),port=\d+.*: 5\d\d ",
         "started": r"started,ip=\[(\S+?)\]",
         "dropped": r"dropped blocked connection from (\S+)"}


@dataclasses.dataclass(frozen=True)
class Peer:
    """One way to protect a mail host.

    rules       rsyslog's; {backend} is the backend, for ours
    drop        courier's own -drop
    command     a separate program; None: rsyslog or courier does everything
    answers     a command that succeeds once that program works
    mounts      our files mounted over files of its package: (ours, theirs)
    line        which of LINES it acts on; None: it blocks nothing
    """

    label: str
    rules: str = ""
    drop: bool = False
    command: tuple = ()
    answers: tuple = ("true",)
    mounts: tuple = ()
    line: str = None


FAIL2BAN = ("-c", str(CONF / "fail2ban"), "-s", "/run/f2b.sock")


def ours(selector, parameters):
    return f'{selector} action(type="omsmtpblock" backend="{{backend}}"{parameters})'


PEERS = {
    "nothing": Peer("nothing"),
    "drop": Peer("courier -drop", drop=True),
    "fail2ban": Peer(
        "fail2ban", rules=TO_FILE, line="rejected",
        command=("fail2ban-server", "-f", "-x", *FAIL2BAN, "-p", "/run/f2b.pid", "start"),
        answers=("fail2ban-client", *FAIL2BAN, "status", "courier-dnsbl")),
    "tail-and-kill": Peer(
        "Python: tail, ps, kill", rules=TO_FILE, line="rejected",
        command=(str(CONF / "tail-and-kill"), str(MAIL_ERR))),
    "omprog": Peer(
        "omprog, shell script", line="rejected",
        rules='module(load="omprog")\n'
              f'mail.err action(type="omprog" binary="{CONF / "omprog-block"}"'
              ' template="RSYSLOG_TraditionalFileFormat")'),
    "sshguard": Peer(
        "sshguard, own parser", rules=TO_FILE, line="rejected", command=("sshguard",),
        mounts=((CONF / "sshguard" / "sshguard.conf", "/etc/sshguard/sshguard.conf"),)),
    "dnsbl": Peer("omsmtpblock, dnsbl", rules=ours("mail.err", ""), line="rejected"),
    "connect": Peer("omsmtpblock, connect", rules=ours("mail.info", ' trigger="connect"'),
                    line="started"),
    "with-drop": Peer("omsmtpblock and -drop", drop=True, line="dropped",
                      rules=ours("mail.warning", ' verify="sender"')),
}


@dataclasses.dataclass(frozen=True)
class Condition:
    """The kind of wave. `wave` has the parameters that differ from the base.

    alone       so heavy that no other host may run at the same time
    """

    title: str
    wave: dict = dataclasses.field(default_factory=dict)
    dnsbl_delay: float = 0.0
    backend: str = "recent"
    alone: bool = False


BASE = {"addresses": 100, "rate": 20.0, "duration": 40.0, "settle": 10.0, "slots": 300,
        "tarpit": 1, "interval": 0.5, "patience": 10.0}

CONDITIONS = {
    "calm": Condition("no wave: a listed address connects every 10 s",
                      wave={"addresses": 1, "rate": 0.1, "duration": 20.0, "settle": 1.0}),
    "base": Condition("100 listed addresses, 20 connections/s, TARPIT on, a fast DNSBL"),
    "slow": Condition("the same, and the DNSBL takes 2 s to answer", dnsbl_delay=2.0),
    "large": Condition("5,000 listed addresses, 200 connections/s, a fast DNSBL",
                       wave={"addresses": 5000, "rate": 200.0}, backend="nftables",
                       alone=True),
    "bare": Condition("100 listed addresses, 20 connections/s, TARPIT off, a fast DNSBL",
                      wave={"tarpit": 0}),
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One protection under one condition."""

    condition: str
    peer: str

    @property
    def name(self):
        return self.peer if self.condition == "base" else f"{self.condition}-{self.peer}"

    @property
    def wave(self):
        return BASE | CONDITIONS[self.condition].wave


RUNS = {run.name: run for run in (Run(condition, peer)
                                  for condition in CONDITIONS for peer in PEERS)}

# Measures the cost of an ordinary mail, which is not part of the wave.
CALM = "calm-nothing"

# The twelve default runs: each protection under the base condition, and under each of the
# three other conditions ours and the rival that does best there. The run for the cost of a
# mail is added.
STORY = (CALM, *PEERS, "slow-drop", "slow-connect", "large-drop", "large-connect",
         "bare-drop", "bare-dnsbl", "bare-connect")


def batches(names, beside):
    """Runs that start together: up to that many hosts, or one that must run alone."""
    light = [name for name in names if not CONDITIONS[RUNS[name].condition].alone]
    for first in range(0, len(light), beside):
        yield light[first:first + beside]
    yield from ([name] for name in names if name not in light)
