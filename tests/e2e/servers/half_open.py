#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Connections that begin TLS and go no further: half_open.py ADDRESS PORT COUNT. Prints one line when all
are open, and one with the seconds after which the last of them was closed."""
import socket
import sys
import time

BEGIN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # of a ClientHello


def main():
    address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    conns = []
    for i in range(count):
        conn = socket.create_connection((address, port), timeout=20)
        conn.sendall(BEGIN[: i % (len(BEGIN) + 1)])
        conns.append(conn)
    began = time.monotonic()
    print("open", flush=True)
    for conn in conns:
        while conn.recv(100):
            pass
    print(f"closed {time.monotonic() - began:.1f}", flush=True)


main()
