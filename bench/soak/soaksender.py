#!/usr/bin/env python3
# Copyright the omsmtpblock authors. SPDX-License-Identifier: Apache-2.0
"""Logs COUNT lines from number FIRST on, as fast as rsyslogd takes them.

    soaksender.py SOCKET FIRST COUNT

Of ten lines six are rejects of a new address; the others are a connection that starts, a
failed login, a line of another program, and one of unknown form.
"""

import socket
import sys
import time

STARTED = "<22>%s courieresmtpd: started,ip=[::ffff:%s],port=[%d]"
REJECT = ("<19>%s courieresmtpd: error,relay=::ffff:%s,port=%d,from=<a@b.example>,"
          "to=<x@mx.lab>: 511 Listed in lab DNSBL, %s")
LOGIN = ('<22>%s courieresmtpd: error,relay=::ffff:%s,port=%d,msg="535 Authentication failed.",'
         "cmd: AUTH LOGIN %s")
FOREIGN = "<22>%s imapd-ssl: LOGIN FAILED, user=a@b.example, ip=[::ffff:%s]"
UNKNOWN = "<19>%s courieresmtpd: error,peer=%s,port=%d: 511 %s"
KINDS = (STARTED, LOGIN, FOREIGN, UNKNOWN, REJECT, REJECT, REJECT, REJECT, REJECT, REJECT)


def main():
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.connect(sys.argv[1])
    first, count = int(sys.argv[2]), int(sys.argv[3])
    stamp = time.strftime("%b %d %H:%M:%S")
    send = sender.send
    for n in range(first, first + count):
        address = f"11.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
        kind = KINDS[n % 10]
        words = (stamp, address, n % 60000 + 1024, address)
        send((kind % words[:kind.count("%")]).encode())


main()
