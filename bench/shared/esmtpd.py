# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""The environment of courier's processes besides the connection: the whole
configuration of esmtpd, which couriertcpd's children have too."""

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
