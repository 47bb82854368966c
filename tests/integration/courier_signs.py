#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The signs in /proc by which the module tells what a listed session can still do.

The module is not involved: this checks courier. Whether a login is offered is in the
environment of courieresmtpd. A login, and a refusal that courier has not logged yet, show in
submit: in its environment, and in the files that it has open. If one of the points fails
with a new release of courier, then a rule of the module acts on the wrong sessions there.
"""
# limit: 90

import contextlib
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lib import processes, tap
from lib.courier import CONFIG, NO_LOGIN, TLS_LOGIN, Courier
from lib.dnsbl import Dnsbl
from lib.netns import Network
from lib.rsyslog import Rsyslog
from lib.scenario import LISTED, MAILBOX, PASSWORD, PORTS, USER, WAYS, listed, workdir
from lib.smtp import Session
from lib.wait import Timeout, wait_for

BLOCK = "Listed in lab DNSBL, {}"

# The file that submit opens when it has accepted MAIL, and the one that it opens when it
# judges the first RCPT of a client that may not relay.
MAIL_FILE, RCPT_FILE = "aliases.dat", "esmtpacceptmailfor.dat"

# clock_nanosleep(2), in which courier tarpits.
SLEEP_CALL = {"x86_64": "230", "aarch64": "115"}.get(platform.machine())
SLEEP_PLACE = "hrtimer_nanosleep"

class Client:
    """A listed client's session after EHLO, and what /proc shows of it."""

    def __init__(self, network, number, port=25, *, starttls=False, tls=False):
        self.source = listed(number)
        self.block = BLOCK.format(self.source)
        self.session = Session(network, self.source, port, tls=tls)
        self.session.greet()
        if starttls:
            self.session.starttls()
        self.smtpd = Courier.child_of(self.session)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def submit(self):
        """Its submit, once that has been executed; None at moments without one. Early in execve(2)
        the environment is still empty."""
        found = [process for process in map(processes.look, processes.children(self.smtpd.pid))
                 if process and process.name == "submit" and process.environment]
        return found[0] if found else None

    def has_submit(self):
        return wait_for(self.submit, 5, f"a submit for {self.source}")

    def replaces_submit(self, step):
        """Whether another submit runs after the step."""
        before = self.has_submit().pid
        step()
        with contextlib.suppress(Timeout):
            return wait_for(lambda: (now := self.submit()) and now.pid != before, 5,
                            "another submit")
        return False

    def before_login(self):
        """submit as it is without a login; courieresmtpd is the same in any case."""
        submit = self.has_submit().environment
        return (submit.get("BLOCK"), "RELAYCLIENT" in submit) == (self.block, False)

    def after_login(self):
        submit = self.submit()
        return submit and (submit.environment.get("BLOCK"), "RELAYCLIENT" in submit.environment) \
            == ("", True)

    def smtpd_shows_block(self):
        found = processes.look(self.smtpd.pid).environment
        return (found.get("BLOCK"), "RELAYCLIENT" in found) == (self.block, False)

    def has_open(self, name):
        """submit has that file open, by its inode number: /proc/PID/fd can make us wait."""
        submit, number = self.submit(), os.stat(CONFIG / name).st_ino
        return submit is not None and f"ino:\t{number}" in _fdinfo(submit.pid)

    def sleeps(self):
        """Where courieresmtpd waits: (wchan, number of the system call)."""
        directory = Path(f"/proc/{self.smtpd.pid}")
        return ((directory / "wchan").read_text(), (directory / "syscall").read_text().split()[0])

    def is_in_tarpit(self):
        place, call = self.sleeps()
        return place == SLEEP_PLACE and call == (SLEEP_CALL or call)


def _fdinfo(pid):
    """The lines of all its fdinfo files."""
    lines = []
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                lines += entry.read_text(encoding="ascii").splitlines()
    return lines


# --- the login that is offered ----------------------------------------------

def offers(points, network, directory):
    """ESMTPAUTH and ESMTPAUTH_TLS in the environment, and courier's reply to AUTH."""
    cases = (("no login", NO_LOGIN, (535, 535, 535)),
             ("login over TLS only", TLS_LOGIN, (535, 235, 235)),
             ("login", {}, (235, 235, 235)))
    for name, variables, codes in cases:
        with Courier(directory, (25, 465), variables=variables,
                     users={USER: PASSWORD}) as courier:
            for way, code in zip(("25", "STARTTLS on 25", "465"), codes):
                offer(points, network, courier, f"{name}, {way}", way, code)
    with Courier(directory, (25, 587), port_variables={25: NO_LOGIN},
                 users={USER: PASSWORD}) as courier:
        offer(points, network, courier, "no login on 25", "25", 535)
        offer(points, network, courier, "but on 587", "STARTTLS on 587", 235)


def offer(points, network, courier, label, way, code):
    with Client(network, 1, **WAYS[way]) as client:
        environment = client.smtpd.environment
        tls = way != "25"
        points.equal(environment.get("ESMTP_TLS") == "1", way == "465",
                     f"{label}: ESMTP_TLS is set on 465 only")
        points.equal(is_login_possible(environment, tls), code == 235,
                     f"{label}: the environment shows whether a login is possible")
        points.equal(client.session.login(USER, PASSWORD).code, code,
                     f"{label}: courier replies {code} to AUTH")
        points.ok("-maxprocs=300" in arguments_of(courier), f"{label}: the listener's limit is "
                  "in its command line", arguments_of(courier))


def is_login_possible(environment, tls):
    return bool(environment["ESMTPAUTH"] or (tls and environment["ESMTPAUTH_TLS"]))


def arguments_of(courier):
    return [word.decode() for daemon in courier.daemons()
            for word in Path(f"/proc/{daemon.pid}/cmdline").read_bytes().split(b"\0")]


# --- a login, and the submits of a session ----------------------------------

def lives_of_submit(points, network, number, way):
    """Which commands replace submit, and what the login changes in it."""
    with Client(network, number, **WAYS[way]) as client:
        session = client.session
        points.ok(client.before_login(), f"{way}: without a login submit has the BLOCK")
        steps = (("EHLO", lambda: session.command("EHLO again.example")),
                 ("a refused MAIL", lambda: session.command("MAIL FROM:<a@b..example>")),
                 ("RSET", lambda: session.command("RSET")),
                 ("AUTH", lambda: session.login(USER, PASSWORD)))
        for name, step in steps:
            points.ok(client.replaces_submit(step), f"{way}: {name} replaces submit")
        shows_login(points, client, way, "after the login")
        points.ok(client.replaces_submit(lambda: mail(session)), f"{way}: a mail replaces submit")
        shows_login(points, client, way, "after a mail")
        session.command("RSET")
        shows_login(points, client, way, "after RSET")


def shows_login(points, client, way, when):
    points.until(client.after_login, 5, f"{way}: {when} submit has RELAYCLIENT and an empty BLOCK",
                 lambda: client.submit())
    points.ok(client.smtpd_shows_block(), f"{way}: {when} courieresmtpd still shows the BLOCK")


def mail(session):
    session.recipient(MAILBOX)
    session.data("Subject: signs\r\n\r\n")


def starttls(points, network, number):
    with Client(network, number) as client:
        points.ok(client.replaces_submit(client.session.starttls), "STARTTLS replaces submit")
        points.ok(client.before_login(), "STARTTLS: and the new one has the BLOCK")


def relay_client(points, network, number):
    """Its refusal does not show: submit asks whether it may relay first."""
    with Client(network, number) as client:
        submit = client.has_submit().environment
        points.ok("RELAYCLIENT" in submit and "RELAYCLIENT" in client.smtpd.environment,
                  "a relay client: both processes have RELAYCLIENT")


# --- a refusal before courier logs it ----------------------------------------

def refusal(points, network, log, number, way):
    with Client(network, number, **WAYS[way]) as client:
        session = client.session
        points.ok(not client.has_open(MAIL_FILE), f"{way}: before MAIL {MAIL_FILE} is not open")
        session.command("MAIL FROM:<a@b.example>")
        points.until(lambda: client.has_open(MAIL_FILE), 5, f"{way}: MAIL opens {MAIL_FILE}")
        points.ok(not client.has_open(RCPT_FILE), f"{way}: but not {RCPT_FILE}")
        points.ok(not client.is_in_tarpit(), f"{way}: courieresmtpd waits for the client",
                  client.sleeps())
        session.send(f"RCPT TO:<{MAILBOX}>")
        points.until(lambda: client.has_open(RCPT_FILE), 5, f"{way}: RCPT opens {RCPT_FILE}")
        points.until(client.is_in_tarpit, 5, f"{way}: and courieresmtpd sleeps", client.sleeps)
        points.ok(client.before_login() and client.has_open(MAIL_FILE),
                  f"{way}: its submit has the BLOCK and has accepted MAIL")
        mark = f"port={session.source_port},from="
        points.ok(not any(mark in line for line in log.mail()),
                  f"{way}: all this before courier logs the refusal")
        points.equal(session.reply().code, 511, f"{way}: which it does after the tarpit")
        points.until(lambda: any(mark in line and " 511 " in line for line in log.mail()), 5,
                     f"{way}: in a line of its own")


def foreign(points, network, number):
    with Client(network, number) as client:
        client.session.command("MAIL FROM:<a@b.example>")
        client.session.send("RCPT TO:<a@foreign.example>")
        points.until(lambda: client.has_open(RCPT_FILE) and client.is_in_tarpit(), 5,
                     "a foreign recipient: the same signs", client.sleeps)


def look_alikes(points, network, number):
    """Commands that courieresmtpd itself refuses: the client may still log in."""
    commands = {"AUTH after MAIL": "AUTH PLAIN AA==", "DATA without RCPT": "DATA",
                "a second MAIL": "MAIL FROM:<a@b.example>", "an unknown command": "BOGUS",
                "a wrong RCPT": f"RCPT TO:{MAILBOX}"}
    for offset, (label, command) in enumerate(commands.items()):
        with Client(network, number + offset) as client:
            session = client.session
            session.command("MAIL FROM:<a@b.example>")
            points.until(lambda: client.has_open(MAIL_FILE), 5, f"{label}: {MAIL_FILE} is open")
            points.ok(session.command(command).code in (502, 554), f"{label}: is refused at once")
            points.until(client.is_in_tarpit, 5, f"{label}: courieresmtpd sleeps", client.sleeps)
            points.ok(not client.has_open(RCPT_FILE), f"{label}: {RCPT_FILE} is not open")
            if command.startswith("AUTH"):
                may_log_in(points, client, label)


def may_log_in(points, client, label):
    """courier reads the next command after the tarpit."""
    points.ok(client.replaces_submit(lambda: client.session.command("RSET")),
              f"{label}: RSET after the tarpit replaces submit")
    points.ok(not client.has_open(MAIL_FILE), f"{label}: and closes {MAIL_FILE}")
    points.equal(client.session.login(USER, PASSWORD).code, 235, f"{label}: a login works then")


def at_once(points, *jobs):
    """Runs the parts in threads, as each waits for a tarpit."""
    def run(job):
        own = Recorded()
        with own.part(""):
            job[0](own, *job[1:])
        return own.results
    with ThreadPoolExecutor(len(jobs)) as pool:
        for results in list(pool.map(run, jobs)):
            for passed, name, details in results:
                points.ok(passed, name, *details)


class Recorded(tap.Tap):
    """Points of a thread, to be printed later."""

    def __init__(self):
        super().__init__()
        self.results = []

    def ok(self, passed, name, *details):
        self.results.append((passed, name, [detail() if callable(detail) else detail
                                            for detail in details if not passed]))
        return bool(passed)


def check(points, directory):
    with Network() as network, Dnsbl(directory, LISTED), Rsyslog(directory) as log:
        offers(points, network, directory)
        with Courier(directory, PORTS, users={USER: PASSWORD}, delivery=True,
                     relay_clients=(listed(90),)):
            at_once(points, *((lives_of_submit, network, number, way)
                              for number, way in enumerate(WAYS, 10)),
                    (starttls, network, 20), (relay_client, network, 90))
        with Courier(directory, PORTS, users={USER: PASSWORD}, tarpit=True):
            at_once(points, *((refusal, network, log, number, way)
                              for number, way in enumerate(WAYS, 30)),
                    (foreign, network, 40), (look_alikes, network, 50))


def scenario(points):
    check(points, workdir())


if __name__ == "__main__":
    tap.main(scenario)
