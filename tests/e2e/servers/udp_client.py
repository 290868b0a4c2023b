# SPDX-License-Identifier: GPL-2.0-only
"""Sends datagrams from many ports and counts who echoes them: udp_client.py ADDRESS PORT FLOWS EACH.

A flow whose datagrams do not all come from one server, or come back changed, is a failure.
"""
import os
import socket
import sys
from collections import Counter

ADDRESS, PORT, FLOWS, EACH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])


def ask(sock, payload):
    """The first reply to this payload, with three tries: a datagram may be lost on the way."""
    for _ in range(3):
        sock.send(payload)
        try:
            while True:
                name, _, back = sock.recv(65535).partition(b" ")
                if back == payload:
                    return name.decode()
        except TimeoutError:
            continue
        except ConnectionRefusedError:
            return "refused"
    return "silent"


def main():
    names, failed = Counter(), 0
    family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
    for number in range(FLOWS):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect((ADDRESS, PORT))
            heard = {ask(sock, b"%d.%d." % (number, i) + os.urandom(1 + (number * 37 + i) % 1200))
                     for i in range(EACH)}
        if len(heard) != 1 or heard & {"silent", "refused"}:
            failed += 1
            print("error 1", "flow heard:", *sorted(heard))
        else:
            names[heard.pop()] += 1
    print("done", FLOWS - failed)
    print("failed", failed)
    for name, count in sorted(names.items()):
        print("reply", name, count)
    sys.exit(1 if failed else 0)


main()
