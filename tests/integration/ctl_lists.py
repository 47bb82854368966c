# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""smtpblockctl list, add, del, flush and status on the kernel's own lists, while the
module writes them too."""

# backends: both
# limit: 120

import datetime
import time

from lib.firewall import backend, connects
from lib.netns import run
from lib.processes import as_user
from lib.rsyslog import action
from lib.scenario import listed, mail_host, ordinary
from lib.wait import wait_for


def done(points, host, *words, out=None):
    """It exits with 0 and prints just this."""
    result = host.ctl(*words)
    points.equal((result.status, result.err, result.out if out else None), (0, "", out),
                 f"{words[0]} works")


def refused(points, host, label, words, status, message, **options):
    """It exits with that status, with one line on stderr and no other output."""
    result = host.ctl(*words, **options)
    points.ok(result.status == status and result.out == "" and message in result.err
              and result.err.count("\n") == 1, f"{label}: {message}", result)


def entries(host):
    return {entry["address"]: entry for entry in host.ctl("--json", "list").json()["blocks"]}


def block_of_the_module(points, host):
    """Entries that the module wrote are shown, with the right time."""
    began = time.time()
    _, child = host.rejects(listed(1))
    host.blocks(listed(1))
    host.ends(child)
    entry = entries(host).get(listed(1), {})
    since = datetime.datetime.fromisoformat(entry["since"].replace("Z", "+00:00")).timestamp()
    points.ok(abs(since - began) <= 2, "list shows since when", entry, began)
    points.equal((entry["list"], entry["since_s"], entry["until_s"] - entry["since_s"]),
                 ("spammer", since, 600), "on which list, and for how long")
    text = host.ctl("list").out.splitlines()
    points.ok(text[0].endswith(f": {backend()}, spammer, spammer6") and "line " in text[0],
              "the text names the lists", text)
    points.ok(any(line.split()[:2] == [listed(1), "spammer"] for line in text),
              "and has the address", text)


def by_hand(points, host):
    """Packets of an added address are dropped, those of a deleted one get through."""
    four, six = ordinary(1), ordinary(1, 6)
    both_connect = lambda: connects(host.network, four) and connects(host.network, six)
    points.ok(both_connect(), "they connect at first")
    done(points, host, "add", f"::ffff:{four}", six,
         out=f"{four} is blocked on spammer for 10 min\n"
             f"{six} is blocked on spammer6 for 10 min\n")
    host.drops(four)
    host.drops(six)
    points.equal(set(entries(host)), {listed(1), four, six}, "list has them all")
    done(points, host, "del", four, six,
         out=f"{four} is removed from spammer\n{six} is removed from spammer6\n")
    points.ok(both_connect(), "and they connect again")


def time_goes_on(points, host):
    """The time left shrinks, and a dropped packet renews the block."""
    source = ordinary(2)
    host.ctl("add", source)
    wait_for(lambda: entries(host)[source]["left_s"] <= 598, 10, "two seconds to pass")
    host.drops(source)
    points.ok(entries(host)[source]["left_s"] >= 599, "which has renewed the block", entries(host))
    host.ctl("del", source)


def nothing_half_done(points, host):
    own = run("hostname", "-I").split()[0]
    before = set(entries(host))
    for label, words, status, message in (
            ("no address", ("nonsense",), 2, '"nonsense" is not an IP address'),
            ("loopback", ("127.0.0.1",), 1, "never blocked"),
            ("own address", (own,), 1, "an address of this host or its gateway"),
            ("allowed", ("--allow", "10.9.7.0/24", "10.9.7.9"), 1, "on the allow list"),
            ("prefix", ("10.9.7.0/24",), 2, 'ipv4Prefix="32"')):
        refused(points, host, f"add, {label}", ("add", ordinary(3), *words), status, message)
    refused(points, host, "del of an address that is not there", ("del", listed(1), ordinary(3)), 1,
            f"{ordinary(3)} is not on spammer")
    for words in (("add", ordinary(3)), ("del", listed(1)), ("flush",)):
        refused(points, host, f"{words[0]} without rights", words, 1, "run this as root",
                prefix=as_user("nobody"))
    points.equal(set(entries(host)), before, "none of that changed anything")


def slots(points, host):
    """couriertcpd's children take slots; its logger does not."""
    before = host.courier.slots_of(ordinary(9))
    host.open(ordinary(9))
    host.open(ordinary(9))
    status = host.ctl("--json", "status").json()
    points.equal([(slot["port"], slot["used"], slot["max"]) for slot in status["slots"]],
                 [("smtp", 2, 300)], "two sessions take two slots of 300")
    points.equal(status["last_blocks"][0]["address"], listed(1), "the last block is shown")
    points.ok(not any(one["overflows"] for one in status["lists"]), "no list overflows")
    text = host.ctl("status").out
    points.ok("slots of port smtp" in text and "list spammer " in text, "as text too", text)
    points.equal(before, [], "there were none before")


def full_list(points, host):
    """One more than the kernel's list holds: the oldest is dropped, and that is reported."""
    host.ctl("flush")
    capacity = host.ctl("--json", "list").json()["lists"][0]["capacity"]
    many = [f"10.9.8.{number}" for number in range(1, 255)][:capacity]
    points.equal(host.ctl("add", *many).status, 0, f"{len(many)} addresses are added")
    if len(many) < capacity:
        points.note(f"the list holds {capacity}: too many to fill it here")
        return
    points.ok(host.ctl("--json", "status").json()["lists"][0]["overflows"],
              "status reports that the list is full")
    result = host.ctl("add", "10.9.9.1")
    points.ok(result.status == 0 and "is too small" in result.err,
              "one more: it reports that the oldest is dropped", result)
    present = set(entries(host))
    points.ok("10.9.9.1" in present and many[0] not in present, "and it was dropped",
              sorted(present)[:3])
    host.ctl("flush")


def flush(points, host):
    host.ctl("add", ordinary(4), ordinary(4, 6))
    done(points, host, "flush",
         out="2 addresses removed from spammer\n1 address removed from spammer6\n")
    points.equal(entries(host), {}, "the lists are empty")
    points.ok(connects(host.network, listed(1)), "a blocked client connects again")


def no_list(points, host):
    """The lists do not exist, as after a reload of the firewall."""
    host.rsyslog.stop()
    host.list4.remove()
    if backend() == "recent":
        refused(points, host, "add", ("add", ordinary(5)), 1, "type  iptables -I INPUT -p tcp")
        points.equal(host.ctl("list", "--list", "spammer").status, 1, "list without a list")
        host.list4.install()
    else:
        points.equal(host.ctl("list").status, 1, "list without a table")
        done(points, host, "add", ordinary(5))
        host.drops(ordinary(5))


def scenario(points):
    with mail_host(points, action()) as host:
        host.parts(block_of_the_module, by_hand, time_goes_on, nothing_half_done, slots, flush,
                   full_list, no_list)
