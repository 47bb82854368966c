# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Events: a ruleset that gets them, the file it writes, and lines that cause them."""

import json

from lib import rsyslog


def ruleset(body, queue='queue.type="linkedList" queue.timeoutEnqueue="0"', name="blocks"):
    return f'ruleset(name="{name}" {queue}) {{ {body} }}\n'


def events(path):
    """The events in the file, without the tag in front."""
    lines = path.read_text().splitlines() if path.exists() else []
    assert all(line.startswith("omsmtpblock:{") for line in lines), lines
    return [json.loads(line.removeprefix("omsmtpblock:")) for line in lines]


def reject(number, text="511 Listed"):
    rsyslog.log(f"error,relay=::ffff:10.9.{4 + number // 200}.{1 + number % 200},port=4711,"
                f"from=<a@b.example>,to=<x@mx.lab>: {text}")
