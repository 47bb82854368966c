# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The waves, the protections that stand in them, and what the module is to reach."""

import dataclasses

import peers

# All waves: 40 s of connections, then 15 s in which slots must become free.
DURATION, SETTLE = 40.0, 15.0


@dataclasses.dataclass(frozen=True)
class Wave:
    """Listed hosts against one mail host.

    addresses, rate   of the listed hosts, and their connections a second
    burst             connections that an address opens at once
    silent            share of the connections that send nothing
    login             port 25 offers a login; 465 and 587 do so in any case
    slots, perip      courier's MAXDAEMONS and MAXPERIP of each port
    peak              the goal for the module's default action
    """

    addresses: int
    rate: float
    login: bool
    peak: int
    burst: int = 1
    silent: float = 0.0
    slots: int = 300
    perip: int = 300
    duration: float = DURATION
    settle: float = SETTLE

    # What peerhost.PeerHost asks a condition.
    dnsbl_delay = 0.0

    @property
    def light(self):
        """Several hosts can stand in it at the same time."""
        return self.rate <= 60

    @property
    def backend(self):
        """A list of xt_recent has room for 100 addresses."""
        return "recent" if self.addresses <= 100 else "nftables"

    @property
    def title(self):
        parts = [f"{self.addresses:,} addresses, {self.rate:g}/s"]
        parts += [f"{self.burst} at once, MAXPERIP={self.perip}"] if self.burst > 1 else []
        parts += [f"{self.silent:.0%} silent"] if self.silent else []
        parts += [f"{self.slots} slots"] if self.slots != 300 else []
        return ", ".join(parts)

    def slower(self, factor):
        return dataclasses.replace(self, rate=self.rate / factor)

    def scaled(self, factor, duration, settle):
        """The same pressure on fewer slots."""
        return dataclasses.replace(
            self, addresses=max(1, self.addresses // factor), rate=self.rate / factor,
            slots=self.slots // factor, perip=min(self.perip, self.slots // factor),
            duration=duration, settle=settle, peak=self.slots // factor - 1)


# The three sizes: addresses, connections a second.
SMALL, MIDDLE, LARGE = (100, 20.0), (1000, 60.0), (5000, 200.0)

WAVES = {
    "no-login-20": Wave(*SMALL, login=False, peak=10),
    "no-login-60": Wave(*MIDDLE, login=False, peak=15),
    "no-login-200": Wave(*LARGE, login=False, peak=40),
    "no-login-burst": Wave(*SMALL, login=False, peak=20, burst=10, perip=20),
    "no-login-silent-20": Wave(*SMALL, login=False, peak=40, silent=1.0),
    "no-login-silent-60": Wave(*MIDDLE, login=False, peak=40, silent=1.0),
    "no-login-silent-200": Wave(*LARGE, login=False, peak=40, silent=1.0),
    "login-20": Wave(*SMALL, login=True, peak=15),
    "login-60": Wave(*MIDDLE, login=True, peak=30),
    "login-200": Wave(*LARGE, login=True, peak=90),
    "login-part-silent-20": Wave(*SMALL, login=True, peak=200, silent=0.3),
    "login-part-silent-60": Wave(*MIDDLE, login=True, peak=200, silent=0.3),
    "login-part-silent-200": Wave(*LARGE, login=True, peak=200, silent=0.3),
    "login-silent-20": Wave(*SMALL, login=True, peak=200, silent=1.0),
    "login-silent-60": Wave(*MIDDLE, login=True, peak=200, silent=1.0),
    "login-silent-200": Wave(*LARGE, login=True, peak=200, silent=1.0),
    "few-slots-20": Wave(*SMALL, login=True, peak=39, slots=40),
    "few-slots-60": Wave(*MIDDLE, login=True, peak=39, slots=40),
}

# The waves in which customers on port 25 may be turned away: it is only measured.
CUSTOMERS_MEASURED = ("login-silent-200",)

# The module's default action comes first.
DEFAULT = "default"
PROTECTIONS = {DEFAULT: peers.Peer("omsmtpblock, default", rules=peers.ours("mail.err", ""),
                                   line="rejected"),
               "nothing": peers.PEERS["nothing"], "connect": peers.PEERS["connect"],
               "fail2ban": peers.PEERS["fail2ban"], "drop": peers.PEERS["drop"]}

# Others stand in these waves. fail2ban's list has room for 100 addresses.
BESIDE = {"no-login-20": ("nothing", "connect"),
          "no-login-200": ("connect",),
          "login-20": ("nothing", "connect", "fail2ban"),
          "login-60": ("nothing",),
          "few-slots-20": ("nothing",)}

# The waves of --quick, at a tenth of the slots.
QUICK = ("no-login-60", "no-login-silent-60", "login-60", "login-200")
QUICK_FACTOR, QUICK_DURATION, QUICK_SETTLE = 10, 18.0, 14.0


@dataclasses.dataclass(frozen=True)
class Run:
    """One protection in one wave."""

    name: str
    wave: Wave
    protection: str

    @property
    def is_default(self):
        return self.protection == DEFAULT


def runs(names, others, quick):
    """The runs of these waves, each wave's default first."""
    for name in names:
        wave = WAVES[name]
        if quick:
            wave = wave.scaled(QUICK_FACTOR, QUICK_DURATION, QUICK_SETTLE)
        for protection in (DEFAULT, *(others if others is not None else BESIDE.get(name, ()))):
            suffix = "" if protection == DEFAULT else f"-{protection}"
            yield Run(name + suffix, wave, protection)


def batches(pending, beside):
    """Runs that start together: light ones up to that many, or one alone."""
    light = [run for run in pending if run.wave.light]
    for first in range(0, len(light), beside):
        yield light[first:first + beside]
    yield from ([run] for run in pending if not run.wave.light)
