# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The least that a module must do: handle lines in several workers, and stop.

For tests/instrument/bites; a module that commits a fault may end rsyslogd.
"""

from lib import processes, rsyslog
from lib.rsyslog import Rsyslog, action
from lib.scenario import reject_line, workdir

LINES = 400
RULES = action(backend="null", queue_type="linkedList", queue_workerThreads=4,
               queue_workerThreadMinimumMessages=1, queue_dequeueBatchSize=1)


def send_lines(daemon):
    for number in range(LINES):
        try:
            rsyslog.log(reject_line(f"10.9.1.{number % 250 + 1}"))
        except OSError:
            return
        if not processes.alive(daemon.pid):
            return


def scenario(points):
    daemon = Rsyslog(workdir(), RULES).start()
    send_lines(daemon)
    points.until(lambda: len(daemon.mail()) >= LINES or not processes.alive(daemon.pid), 10,
                 "all lines are logged, or rsyslogd has ended")
    if processes.alive(daemon.pid):
        daemon.stop()
