# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""What the stand-ins for courier's processes need."""

from pathlib import Path

from lib.netns import run

# Their environment besides the connection: the whole configuration of esmtpd, which couriertcpd's
# children have too.
ESMTPD = {
    "SHELL": "/bin/sh", "ULIMIT": "32768", "BOFHCHECKDNS": "1", "BOFHNOEXPN": "1",
    "BOFHNOVRFY": "1", "TARPIT": "1", "NOADDMSGID": "1", "NOADDDATE": "1", "NOADDRREWRITE": "0",
    "ESMTP_LOG_DIALOG": "0", "AUTH_REQUIRED": "0", "COURIERTLS": "/usr/bin/couriertls",
    "TLS_CERTFILE": "/etc/courier/esmtpd.pem", "TLS_DHPARAMS": "/etc/courier/dhparams.pem",
    "TLS_TRUSTCERTS": "/etc/ssl/certs/ca-certificates.crt", "TLS_VERIFYPEER": "NONE",
    "MAILUSER": "courier", "MAILGROUP": "courier", "ADDRESS": "0", "PORT": "smtp",
    "BLACKLISTS": "-block=bl.lab,BLOCK,*", "ACCESSFILE": "/etc/courier/smtpaccess",
    "MAXDAEMONS": "300", "MAXPERC": "300", "MAXPERIP": "300",
    "PIDFILE": "/run/courier/esmtpd.pid",
    "TCPDOPTS": "-stderrlogger=/usr/sbin/courierlogger -noidentlookup",
    "ESMTPAUTH": "", "ESMTPAUTH_WEBADMIN": "LOGIN CRAM-MD5 CRAM-SHA1 CRAM-SHA256",
    "ESMTPAUTH_TLS": "", "ESMTPAUTH_TLS_WEBADMIN": "PLAIN LOGIN CRAM-MD5 CRAM-SHA1 CRAM-SHA256",
    "ESMTPDSTART": "YES", "PATH": "/usr/bin:/bin:/usr/bin:/usr/local/bin",
}
# Where courier offers a login.
OPEN_ESMTPD = ESMTPD | {"ESMTPAUTH": ESMTPD["ESMTPAUTH_WEBADMIN"]}


def make_connections_possible():
    """Packets to the clients' addresses arrive here, although the host does not have them."""
    run("ip", "address", "add", "192.0.2.25/32", "dev", "lo")
    run("ip", "route", "add", "local", "198.18.0.0/15", "dev", "lo")
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("25", encoding="ascii")
