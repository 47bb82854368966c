# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl setup: the commands it prints work, --apply runs them once. Then packets of
an added address are dropped, on established connections too."""

# backends: both

import socket
import subprocess
import tempfile
from pathlib import Path

from lib.ctl import ctl
from lib.firewall import backend, connects
from lib.netns import Network, run
from lib.processes import as_user
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


def blocks(points, network, config):
    """An address of each family: through, blocked, through again."""
    for source in (ordinary(1), ordinary(1, 6)):
        points.ok(connects(network, source), f"{source} connects at first")
        added = ctl("add", source, config=config)
        points.equal(added.status, 0, f"{source} is added", added)
        points.ok(not connects(network, source, deadline=1.5), f"{source} is dropped")
        ctl("del", source, config=config)
        points.ok(connects(network, source), f"{source} connects again")


def outcomes(config):
    """Of the steps of --apply."""
    found = ctl("--json", "setup", backend(), *PORTS, "--apply", config=config).json()
    return {step["outcome"] for step in found["steps"]}


def printed(points, network, config):
    """Runs it as an admin would type it."""
    text = ctl("setup", backend(), *PORTS, config=config).out
    command = ["sh", "-e"] if backend() == "recent" else ["nft", "-f", "-"]
    done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
    points.equal((done.returncode, done.stderr), (0, ""), "the printed commands work")
    blocks(points, network, config)
    again = outcomes(config)
    if backend() == "recent":
        points.equal(again, {"already there"}, "--apply recognizes them")
    clean()


def established(network, config, source):
    """A byte on a connection that was open before its address was blocked arrives."""
    with network.socket(source) as client:
        client.connect((network.mx_for(source), 25))
        ctl("add", source, config=config)
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
                ctl("del", source, config=config)


def applied(points, network, config):
    """Once, above the rule that accepts established connections, and no second time."""
    if backend() == "recent":
        run("iptables", "-A", "INPUT", "-m", "state", "--state", "ESTABLISHED", "-j", "ACCEPT")
    points.equal([outcomes(config), outcomes(config)], [{"added"}, {"already there"}],
                 "added, and then there")
    before = rules()
    text = ctl("setup", backend(), *PORTS, "--apply", config=config)
    points.equal((text.status, rules()), (0, before), "a third time changes nothing")
    blocks(points, network, config)
    points.ok(not established(network, config, ordinary(2)),
              "packets of established connections are dropped")


def without_rights(points, _, config):
    before = rules()
    result = ctl("setup", backend(), "--apply", "--banTime", "77", config=config,
                 prefix=as_user("nobody"))
    points.ok(result.status == 1 and "run this as root" in result.err, "it is reported", result)
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
            points.parts((printed, applied, without_rights), network, config)
