#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl setup: the commands it prints work, --apply runs them once. Then packets of
an added address are dropped, on established connections too."""

# backends: both

import socket
import subprocess
import tempfile
from pathlib import Path

from lib import tap
from lib.ctl import ctl
from lib.firewall import backend, connects
from lib.netns import Network, run
from lib.scenario import ordinary
from lib.wait import wait_for

PORTS = ("--ports", "25", "--ports", "587")


def rules():
    if backend() == "recent":
        return run("iptables", "-S", "INPUT") + run("ip6tables", "-S", "INPUT")
    return run("nft", "list", "ruleset")


def clean():
    if backend() == "recent":
        run("iptables", "-F", "INPUT")
        run("ip6tables", "-F", "INPUT")
    else:
        run("nft", "delete", "table", "inet", "omsmtpblock")


def tool(config, *words, **options):
    return ctl(*words, config=config, **options)


def blocks(points, network, config, label):
    """An address of each family: through, blocked, through again."""
    for source in (ordinary(1), ordinary(1, 6)):
        points.ok(connects(network, source), f"{label}: {source} connects at first")
        added = tool(config, "add", source)
        points.equal(added.status, 0, f"{label}: {source} is added") or points.note(added)
        points.ok(not connects(network, source, deadline=1.5), f"{label}: {source} is dropped")
        tool(config, "del", source)
        points.ok(connects(network, source), f"{label}: {source} connects again")


def printed(points, network, config):
    """Runs it as an admin would type it."""
    text = tool(config, "setup", backend(), *PORTS).out
    command = ["sh", "-e"] if backend() == "recent" else ["nft", "-f", "-"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    points.equal((done.returncode, done.stderr), (0, ""), "the printed commands work")
    blocks(points, network, config, "typed")
    again = tool(config, "--json", "setup", backend(), *PORTS, "--apply").json()
    if backend() == "recent":
        points.equal({step["outcome"] for step in again["steps"]}, {"already there"},
                     "--apply recognizes them")
    clean()


def established(network, config, source):
    """A byte on a connection that was open before its address was blocked arrives."""
    with network.socket(source) as client:
        client.connect((network.mx_for(source), 25))
        tool(config, "add", source)
        server = network.listener.accept()[0]
        while server.getpeername()[0] not in (source, f"::ffff:{source}"):
            server.close()
            server = network.listener.accept()[0]
        with server:
            client.send(b"x")
            server.settimeout(1)
            try:
                return server.recv(1) == b"x"
            except TimeoutError:
                return False
            finally:
                tool(config, "del", source)


def applied(points, network, config):
    """Once, above the rule that accepts established connections, and no second time."""
    if backend() == "recent":
        run("iptables", "-A", "INPUT", "-m", "state", "--state", "ESTABLISHED", "-j", "ACCEPT")
    outcomes = [[step["outcome"] for step in tool(config, "--json", "setup", backend(), *PORTS,
                                                  "--apply").json()["steps"]] for _ in range(2)]
    points.equal([set(outcome) for outcome in outcomes], [{"added"}, {"already there"}],
                 "added, and then there")
    before = rules()
    text = tool(config, "setup", backend(), *PORTS, "--apply")
    points.equal((text.status, rules()), (0, before), "a third time changes nothing")
    blocks(points, network, config, "applied")
    points.ok(not established(network, config, ordinary(2)),
              "packets of established connections are dropped")


def without_rights(points, config):
    before = rules()
    result = tool(config, "setup", backend(), "--apply", "--banTime", "77",
                  prefix=("setpriv", "--reuid", "65534", "--clear-groups"))
    points.ok(result.status == 1 and "run this as root" in result.err,
              "no rights: reported", result)
    points.equal(rules(), before, "and nothing is changed")


def scenario(points):
    with Network() as network, tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        config = Path(directory) / "rsyslog.conf"
        config.write_text(f'mail.err action(type="omsmtpblock" backend="{backend()}")\n')
        with socket.create_server(("::", 25), family=socket.AF_INET6, backlog=128,
                                  dualstack_ipv6=True) as network.listener:
            network.listener.settimeout(60)
            wait_for(lambda: connects(network, ordinary(9)), 5, "the listener")
            for check in (printed, applied):
                with tap.part(points, check.__name__):
                    check(points, network, config)
            with tap.part(points, "without rights"):
                without_rights(points, config)


if __name__ == "__main__":
    tap.main(scenario)
