# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""rsyslogd -N1 refuses a wrong value: it names file, line, value, and what is allowed.

It accepts correct values: defaults, both bounds, every word. It warns of values that give
up protection, and of two actions that want one list in different ways.
"""

from lib.rsyslog import Rsyslog, action
from lib.scenario import workdir

# (parameters, what the message must contain besides the written value)
WRONG = (
    ({"backend": "iptables"}, ("recent", "null")),
    ({"backend": ""}, ("recent", "null")),
    ({"list6": "spammer", "backend": "nftables", "list": "spammer"}, ("list6", "both be named")),
    ({"backend": "nftables", "list": "x" * 101}, ("100 characters",)),
    ({"backend": "nftables", "list6": "6spammers"}, ("letter",)),
    ({"ports": "0"}, ("1", "65535")),
    ({"ports": ["25", "65536"]}, ("1", "65535")),
    ({"ports": "smtp"}, ("1", "65535")),
    ({"listSize": "0"}, ("1", "16777216")),
    ({"listSize": "16777217"}, ("1", "16777216")),
    ({"list": "no/slash"}, ("letters",)),
    ({"list": ""}, ("letters",)),
    ({"list6": "../../etc/passwd"}, ("letters",)),
    ({"list6": "x" * 200}, ("199",)),
    ({"trigger": "spam"}, ("dnsbl", "reject")),
    ({"replyPattern": "^(511"}, ("PCRE2",)),
    ({"replyPattern": "[z-a]"}, ("PCRE2",)),
    ({"terminate": "maybe"}, ("on", "off")),
    ({"terminate_delay": "5001"}, ("0", "5000", "ms")),
    ({"terminate_delay": "-1"}, ("0", "5000")),
    ({"terminate_delay": "200ms"}, ("0", "5000")),
    ({"terminate_delay": ""}, ("0", "5000")),
    ({"terminate_delay": "4294967296"}, ("0", "5000")),
    ({"terminate_signal": "9"}, ("TERM", "HUP", "KILL")),
    ({"terminate_signal": "SIGTERM"}, ("TERM", "HUP", "KILL")),
    ({"terminate_killAfter": "60001"}, ("0", "60000", "ms")),
    ({"verify": "yes"}, ("child", "sender", "none")),
    ({"courierUser": "no-such-user"}, ("user",)),
    ({"courierUser": ""}, ("user",)),
    ({"allow": "10.0.0.1/8"}, ("10.0.0.0/8",)),
    ({"allow": "10.0.0.0/33"}, ("32",)),
    ({"allow": "2001:db8::/129"}, ("128",)),
    ({"allow": "example.com"}, ("192.0.2.0/24",)),
    ({"allow": ["192.0.2.0/24", "300.0.0.1"]}, ("192.0.2.0/24",)),
    ({"dryRun": "2"}, ("on", "off")),
)

RIGHT = (
    {},
    {"backend": "recent"}, {"backend": "null"}, {"backend": "NULL"},
    {"backend": "nftables", "list": "x" * 100, "list6": "_a.b-9"},
    {"ports": "1"}, {"ports": ["587", "465", "25", "65535"]},
    {"listSize": "1"}, {"listSize": "16777216"},
    {"list": "x" * 199, "list6": "_a.b-9"},
    {"trigger": "dnsbl"}, {"trigger": "connect"},
    {"replyPattern": r"^5\d\d (?i)listed"},
    {"terminate": "off"}, {"terminate": "on"},
    {"terminate_delay": "0"}, {"terminate_delay": "5000"},
    {"terminate_signal": "TERM"}, {"terminate_signal": "HUP"}, {"terminate_signal": "KILL"},
    {"terminate_killAfter": "0"}, {"terminate_killAfter": "60000"},
    {"verify": "child"},
    {"courierUser": "courier"}, {"courierUser": "root"},
    {"allow": "192.0.2.1"}, {"allow": ["192.0.2.0/24", "2001:db8::/32", "::1"]},
    {"dryRun": "on"}, {"dryRun": "off"},
)

# (parameters, how the warning begins)
OPEN = (
    ({"verify": "none"}, 'verify="none" believes every line'),
    ({"verify": "sender"}, 'verify="sender" believes $!pid and $!uid'),
    ({"trigger": "reject"}, "this trigger needs the sender's credentials"),
    ({"trigger": "reject"}, "this trigger can be aimed"),
    ({"trigger": "relay", "threshold": "5"}, "name the providers in allow or allowFile"),
    ({"trigger": "auth", "threshold": "5"}, "this trigger needs the sender's credentials"),
    ({"trigger": "relay", "threshold": "5"}, "this trigger needs the sender's credentials"),
    ({"trigger": "protocol", "threshold": "5"}, "this trigger needs the sender's credentials"),
    ({"trigger": "auth", "verify": "none", "threshold": "1"},
     "a single mistake blocks a user's address"),
)


# (the parameters of two actions, the one that the second must not have; None: it may)
TWO = (
    ({}, {"trigger": "connect"}, None),
    ({}, {"list": "other", "list6": "other6", "banTime": "60"}, None),
    ({"config_enabled": "off"}, {"banTime": "60"}, None),
    ({}, {"banTime": "60"}, "banTime"),
    ({}, {"ipv6Prefix": "64"}, "ipv6Prefix"),
    ({}, {"backend": "nftables", "ipv6Prefix": "128"}, "backend"),
    ({"backend": "nftables"}, {"backend": "nftables", "ports": ["25", "587"]}, "ports"),
)

# Parameters of module(), and what -N1 prints for wrong ones.
MODULE = (
    ('keepCapabilities="on"', None),
    ('keepCapabilities="off"', None),
    ('keepCapabilities="maybe"', "keepcapabilities"),
    ('keepRights="on"', "keepRights"),
)


def label(parameters):
    return " ".join(f'{name.replace("_", ".")}="{str(value)[:40]}"'
                    for name, value in parameters.items()) or "no parameter"


def written(parameters):
    """The wrong value as it should be shown: the last one, cut if it is long."""
    value = list(parameters.values())[-1]
    return (value[-1] if isinstance(value, list) else value)[:60]


def validated(daemon, rules, module=""):
    """rsyslogd -N1: (status, output, number of the action's line, whether it is silent)"""
    daemon.rules, daemon.module = f"# a comment line\n{rules}", module
    status, output = daemon.validate()
    line = daemon.config.read_text().splitlines().index(rules.strip()) + 1
    return status, output, line, "omsmtpblock" not in output.replace(str(daemon.config), "")


def refused(points, daemon, parameters, allowed):
    status, output, line, _ = validated(daemon, action(**parameters))
    wanted = (str(daemon.config), f"line {line}", f'"{written(parameters)}', *allowed)
    missing = [text for text in wanted if text not in output]
    points.ok(status == 1 and not missing,
              f"{label(parameters)} is refused with a complete message",
              f"status {status}, missing in the message: {missing}", output)


def module_parameter(points, daemon, text, wrong):
    status, output, _, silent = validated(daemon, action(), text)
    points.ok(status == 1 and wrong in output if wrong else status == 0 and silent,
              f"module: {text} is {'refused' if wrong else 'accepted silently'}", status, output)


def accepted(points, daemon, parameters):
    status, output, _, silent = validated(daemon, action(**parameters))
    points.ok(status == 0 and silent, f"{label(parameters)} is accepted silently", status, output)


def warned(points, daemon, parameters, sentence):
    """Allowed, but it gives up protection: -N1 warns and exits with 0."""
    status, output, line, _ = validated(daemon, action(**parameters))
    wanted = f"warning during parsing file {daemon.config}, on or before line {line}: " \
        "omsmtpblock: "
    warnings = [text for text in output.splitlines() if wanted in text and sentence in text]
    points.ok(status == 0 and len(warnings) == 1,
              f"{label(parameters)} is accepted with one warning", status, output)


def together(points, daemon, first, second, name):
    rules = action(**first) + action(**second)
    daemon.rules, daemon.module = rules, ""
    status, output = daemon.validate()
    line = daemon.config.read_text().splitlines().index(action(**second).strip()) + 1
    wanted = f"on or before line {line}: omsmtpblock: an earlier action has the same list"
    points.ok(status == 0 and
              (wanted in output and f"write the same {name} into both" in output if name else
               "an earlier action" not in output),
              f"{label(first)}, then {label(second)}: {name or 'nothing'} is warned of", output)


def scenario(points):
    daemon = Rsyslog(workdir())
    for parameters, allowed in WRONG:
        refused(points, daemon, parameters, allowed)
    status, output, _, _ = validated(daemon, action(terminateDelay="200"))
    points.ok(status == 1 and "terminateDelay" in output, "an unknown parameter is refused", output)
    for text, wrong in MODULE:
        module_parameter(points, daemon, text, wrong)
    for parameters in RIGHT:
        accepted(points, daemon, parameters)
    for parameters, sentence in OPEN:
        warned(points, daemon, parameters, sentence)
    for first, second, name in TWO:
        together(points, daemon, first, second, name)
