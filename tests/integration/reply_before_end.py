# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The sender sees the reject before its connection ends: 100 of 100 sessions."""

# serial: the delay between reply and end is measured
# limit: 90

import concurrent.futures
import statistics

from lib.scenario import NOBODY, listed, mail_host
from lib.smtp import Closed

SESSIONS, AT_A_TIME = 100, 10


def one_session(host, source):
    """(saw its 511, its smtpd, seconds until it saw the end or None)

    The end is for information only: a FIN that is not sent before TCP's first
    timeout waits for an acknowledgement, and those are dropped by then.
    """
    session, child = host.open(source)
    try:
        reply = session.recipient(NOBODY)
    except Closed:
        return False, child, None
    session.ended(60)
    return reply.code == 511, child, session.ended_at and session.ended_at - reply.at


def scenario(points):
    with mail_host(points) as host, concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        sources = [listed(number) for number in range(1, SESSIONS + 1)]
        results = list(pool.map(lambda source: one_session(host, source), sources))
        points.equal(sum(saw for saw, _, _ in results), SESSIONS, "sessions that saw their 511")
        host.ends(*(child for _, child, _ in results))
        delays = [delay for _, _, delay in results if delay is not None]
        points.ok(delays and 0.150 <= statistics.median(delays) <= 1.0,
                  "from the reply to the end: 200 ms, nearly (median)", sorted(delays))
        host.blocks(*sources)
        points.until(lambda: not host.courier.slots(), 4, "all slots are free", host.courier.slots)
