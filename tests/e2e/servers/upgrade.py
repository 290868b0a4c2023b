# SPDX-License-Identifier: GPL-2.0-only
"""Asks for an upgrade and sends a line through it: upgrade.py HOST PORT. Prints what came back."""
import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as sock:
    sock.sendall(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    stream = sock.makefile("rb")
    print(stream.readline().decode().split()[1])
    while stream.readline().strip():
        pass
    sock.sendall(b"ping\n")
    print(stream.readline().decode().strip())
    sock.shutdown(socket.SHUT_WR)
    print(len(stream.read()))
