# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""A real courier on private copies of its configuration and its mail queue."""

import re
import shutil
import subprocess
from pathlib import Path

from lib import processes
from lib.netns import run
from lib.wait import wait_for

CONFIG, SPOOL, RUNTIME = Path("/etc/courier"), Path("/var/lib/courier"), Path("/run/courier")

# The start scripts of the ports, and their pid files.
SCRIPTS = {25: "esmtpd", 465: "esmtpd-ssl", 587: "esmtpd-msa"}

# The logins that courier offers, as variables.
NO_LOGIN = {"ESMTPAUTH": "", "ESMTPAUTH_TLS": ""}
TLS_LOGIN = {"ESMTPAUTH": "", "ESMTPAUTH_TLS": "PLAIN LOGIN"}

BLOCK_TXT = "-block=bl.lab,BLOCK,*"
EXECUTABLES = ("couriertcpd", "courieresmtpd", "couriertls", "submit", "courierd", "courierlogger",
               "courierlocal", "courieresmtp", "courieruucp", "courierfax", "courierdsn",
               "courierdeliver", "authdaemond")


def block_message(text):
    """BLACKLISTS with a message; courier replaces @ in it by the address."""
    return f"'-block=bl.lab,BLOCK,{text}'"


class Courier:
    """couriertcpd on the given ports; with `delivery` also courier's delivery to Maildirs.

    `blacklists` is the value of BLACKLISTS; `relay_clients` are addresses with
    RELAYCLIENT; `users` have a password and a Maildir each, and get mail as USER@mx.lab;
    `variables` are more of esmtpd's, `port_variables` those of a port: {25: NO_LOGIN};
    `files` are other configuration. Use as a context manager.
    """

    DOMAIN = "mx.lab"

    def __init__(self, workdir, ports=(25,), *, blacklists=BLOCK_TXT, drop=False, tarpit=False,
                 maxdaemons=300, relay_clients=(), users=None, delivery=False, dialog=False,
                 variables=None, port_variables=None, files=None):
        self.workdir = Path(workdir) / "courier"
        self.ports = ports
        self.relay_clients = relay_clients
        self.users = users or {}
        self.delivery = delivery
        self.settings = {
            "BLACKLISTS": blacklists, "DROP": "-drop" if drop else "",
            "TARPIT": int(tarpit), "MAXDAEMONS": maxdaemons,
            "MAXPERIP": maxdaemons, "MAXPERC": maxdaemons, "BOFHCHECKDNS": 0,
            "ESMTPAUTH": "PLAIN LOGIN", "ESMTPAUTH_TLS": "PLAIN LOGIN",
            "ESMTP_LOG_DIALOG": int(dialog)} | (variables or {})
        self.port_variables = port_variables or {}
        self.files = files or {}
        self._mounted = []

    def __enter__(self):
        try:
            self._private_copies()
            self._configure()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        processes.end([process.pid for process in processes.named(*EXECUTABLES)])
        for directory in reversed(self._mounted):
            run("umount", directory)
        self._mounted.clear()

    def _private_copies(self):
        self.workdir.mkdir(exist_ok=True)
        self.workdir.chmod(0o755)
        for directory in (CONFIG, SPOOL):
            copy = self.workdir / directory.parent.name
            shutil.rmtree(copy, ignore_errors=True)
            run("cp", "-a", directory, copy)
            self._mount("--bind", copy, directory)
        RUNTIME.mkdir(exist_ok=True)
        self._mount("-t", "tmpfs", "-o", "mode=0775,gid=courier", "tmpfs", RUNTIME)
        (RUNTIME / "authdaemon").mkdir(mode=0o750)
        shutil.chown(RUNTIME / "authdaemon", "courier", "courier")

    def _mount(self, *words):
        run("mount", *words)
        self._mounted.append(words[-1])

    def _configure(self):
        for port, script in SCRIPTS.items():
            self._set(CONFIG / script, self.settings | self.port_variables.get(port, {}))
        self._set(CONFIG / "authdaemonrc", {"authmodulelist": "authuserdb"})
        for name in ("me", "locals", "defaultdomain"):
            (CONFIG / name).write_text(f"{self.DOMAIN}\n")
        (CONFIG / "esmtpacceptmailfor.dir" / "lab").write_text(f"{self.DOMAIN}\n")
        (CONFIG / "aliases" / "system").write_text(f"postmaster: nobody@{self.DOMAIN}\n")
        run("makeacceptmailfor")
        run("makealiases")
        self._allow_relay()
        self._add_users()
        for path, text in self.files.items():
            Path(path).write_text(text)

    @staticmethod
    def _set(path, settings):
        """Sets variables that the file has, appends the others."""
        text = path.read_text()
        for name, value in settings.items():
            line = f'{name}="{value}"'
            text, found = re.subn(rf"^{name}=.*$", lambda _: line, text, flags=re.M)
            text += "" if found else f"\n{line}\n"
        path.write_text(text)

    def _allow_relay(self):
        directory = CONFIG / "smtpaccess"
        shutil.rmtree(directory)
        directory.mkdir()
        (directory / "lab").write_text(
            "".join(f"{address}\tallow,RELAYCLIENT\n" for address in self.relay_clients))
        run("makesmtpaccess")

    def maildir(self, user):
        return self.workdir / "home" / user / "Maildir"

    def _add_users(self):
        """Creates users in courier's userdb only, with ids that nothing else has."""
        lines = []
        for number, (user, password) in enumerate(self.users.items(), 3000):
            home = self.maildir(user).parent
            shutil.rmtree(home, ignore_errors=True)
            for directory in (home, home / "Maildir", *(home / "Maildir" / name
                                                        for name in ("cur", "new", "tmp"))):
                directory.mkdir(mode=0o755, parents=True)
                shutil.chown(directory, number, number)
            secret = run("openssl", "passwd", "-6", password).strip()
            lines.append(f"{user}\tuid={number}|gid={number}|home={home}|shell=/bin/sh|"
                         f"mail={home}/Maildir|systempw={secret}\n")
        userdb = CONFIG / "userdb"
        userdb.write_text("".join(lines) or "nobody-at-all\tuid=65534|gid=65534|home=/\n")
        userdb.chmod(0o600)
        run("makeuserdb")

    def _start(self):
        quiet = {"stdin": subprocess.DEVNULL}
        subprocess.run(["authdaemond", "start"], check=True, **quiet)
        if self.delivery:
            subprocess.run(["courier", "start"], check=True, **quiet)
        for port in self.ports:
            subprocess.run([SCRIPTS[port], "start"], check=True, **quiet)
        wait_for(lambda: len(self.daemons()) == len(self.ports), 10, "couriertcpd on every port")
        wait_for(self._listens, 10, "courier's ports to listen")

    def _listens(self):
        listening = run("ss", "-Hltn")
        return all(re.search(rf":{port}\s", listening) for port in self.ports)

    @staticmethod
    def daemons():
        """The listening couriertcpds: those whose parent is not a couriertcpd."""
        found = {process.pid: process for process in processes.named("couriertcpd")}
        return [process for process in found.values() if process.parent not in found]

    @staticmethod
    def slots():
        """All children of couriertcpd, before and after exec: MAXDAEMONS limits them."""
        daemons = {process.pid for process in Courier.daemons()}
        return [process for process in processes.every() if process.parent in daemons]

    @staticmethod
    def slots_of(address):
        return [process for process in Courier.slots() if process.address == address]

    @staticmethod
    def children(address=None, port=None):
        """The courieresmtpds that serve an address (and its port), or all of them."""
        return [process for process in processes.named("courieresmtpd")
                if address in (None, process.address) and port in (None, process.port)]

    @staticmethod
    def serving(address, port=None):
        """Every process for an address: courieresmtpd, submit, couriertls."""
        return [process for process in processes.named("courieresmtpd", "submit", "couriertls")
                if process.address == address and port in (None, process.port)]

    @staticmethod
    def child_of(session, deadline=5):
        """The courieresmtpd on the other end of a session."""
        return wait_for(lambda: next(iter(Courier.children(session.source, session.source_port)),
                                     None),
                        deadline, f"a child for {session.source} port {session.source_port}")

    def mails(self, user):
        """The mails delivered to a user, as text."""
        return [path.read_text(errors="replace")
                for path in sorted((self.maildir(user) / "new").iterdir())]
