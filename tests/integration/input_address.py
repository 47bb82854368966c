# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""input="address": rsyslog's own parsers, or another MX, supply the address to block.

From logger on this host, over UDP and over TCP; with the built-in template and with an
admin's own; with and without a port.
"""
# backends: both

import subprocess

from lib import processes
from lib.firewall import kernel_list
from lib.netns import Network
from lib.rsyslog import action
from lib.scenario import mail_host, ordinary

SETTINGS = ('module(load="imudp")\ninput(type="imudp" port="514")\n'
            'module(load="imtcp")\ninput(type="imtcp" port="514")\n'
            'template(name="found" type="string" string="%$.addr% %$.port%")\n')

BLOCK = action("", input="address", verify="none").strip()
PARSED = action("", input="address", verify="none", template="found", list="parsed4",
                list6="parsed6").replace('name="block" ', "").strip()

RULES = ('if $programname == "blocker" then ' + BLOCK + "\n"
         'if $programname == "otherd" then {\n'
         '  set $.addr = re_extract($msg, "from=<([^>]*)>", 0, 1, "");\n'
         '  set $.port = re_extract($msg, "port=<([^>]*)>", 0, 1, "");\n'
         "  " + PARSED + "\n}\n")


def logger(text, tag="blocker"):
    subprocess.run(["logger", "-p", "user.notice", "-t", tag, "--", text], check=True)


def from_logger(points, host):
    for text, source in (("10.9.4.1", "10.9.4.1"), ("::ffff:10.9.4.2", "10.9.4.2"),
                         ("fd00:9::4:1", "fd00:9::4:1"), ("10.9.4.3 4711", "10.9.4.3")):
        logger(text)
        host.blocks(source)
    host.drops("10.9.4.1")


def from_template(points, host):
    with kernel_list(4, "parsed4") as recent:
        logger("login failed port=<4711> from=<10.9.4.4>", "otherd")
        points.until(lambda: "10.9.4.4" in recent.addresses(), 3,
                     "10.9.4.4 is on that action's list")


def from_network(points, host):
    for protocol, source in (("-d", "10.9.4.5"), ("-T", "10.9.4.6")):
        host.network.world.run("logger", protocol, "-n", Network.MX4, "-P", "514", "--rfc3164",
                               "-p", "user.notice", "-t", "blocker", source)
        host.blocks(source)


def children(points, host):
    """With a port only that connection is terminated, without one all of that address."""
    opened = [host.open(source) for source in (*[ordinary(1)] * 3, ordinary(2))]
    first, second, third, other = [child for _, child in opened]
    with host.counted("with a port", triggers=1, blocks=1, ended=1):
        logger(f"{ordinary(1)} {opened[0][0].source_port}")
        host.ends(first, deadline=3)
        points.ok(processes.alive(second.pid) and processes.alive(third.pid),
                  "the others of that address live")
    with host.counted("without", triggers=1, renewals=1, ended=2):
        logger(ordinary(1))
        host.ends(second, third, deadline=3)
        host.serves(opened[3][0], other)


def bad_texts(points, host):
    """A message that is not an address is only counted."""
    texts = ("10.9.4.300", "010.9.4.1", "10.9.4.7/24", "10.9.4.7 0", "10.9.4.7 65536",
             "10.9.4.7 1 2", "10.9.4.7;", "fe80::1%mx0", "nobody", "-", "10.9.4.7 port 25")
    with host.harmless("no address", sources=["10.9.4.7"], unknown=len(texts)):
        for text in texts:
            logger(text)
    never = ("127.0.0.1", "::1", Network.MX4, Network.MX6, "0.0.0.0", "224.0.0.1",
             "255.255.255.255")
    with host.harmless("never blocked", sources=never, triggers=len(never), allowed=len(never)):
        for text in never:
            logger(text)


def refused_without_none(points, host):
    host.rsyslog.stop()
    host.rsyslog.rules = action("user.*", input="address")
    status, text = host.rsyslog.validate()
    points.ok(status == 1 and 'verify="none"' in text, "by -N1", status, text)


def scenario(points):
    with mail_host(points, RULES, settings=SETTINGS) as host:
        host.parts(from_logger, from_template, from_network, children, bad_texts,
                   refused_without_none)
