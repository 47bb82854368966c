# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd has few descriptors, and many listed sessions are rejected at once: see run."""

import argparse
import itertools

from lib.few_descriptors import few_descriptors
from lib.faults import Bystanders, my_share
from lib.scenario import mail_host

LIMITS = (16, 18, 20, 24, 32, 48, 64)
SESSIONS = 200
PATHS = ("new", "pinned")


def scenario(points):
    parser = argparse.ArgumentParser(prog="run descriptors")
    parser.add_argument("--limit", type=int, choices=LIMITS)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--path", choices=PATHS)
    options = parser.parse_args()
    share, shares = my_share()
    wanted = [(path, limit) for path, limit in itertools.product(PATHS, LIMITS)
              if options.path in (None, path) and options.limit in (None, limit)]
    with mail_host(points) as host, Bystanders(host) as bystanders:
        for path, limit in wanted[share::shares]:
            with points.part(f"{limit} descriptors, {path} sessions"):
                few_descriptors(points, host, bystanders, path, limit, options.sessions)
