# SPDX-License-Identifier: GPL-2.0-only
"""Clients that ask once and then keep their connection: idle.py ADDRESS PORT PATH COUNT.

Says "ready" when all have their answer, and "closed N" when the Nth connection (from 0) was ended.
"""
import selectors
import socket
import sys


def ask(address, port, path):
    sock = socket.create_connection((address, port), timeout=10)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    if not sock.recv(65536).startswith(b"HTTP/1.1 200 "):
        sys.exit("no answer")
    return sock


def main():
    address, port, path, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    waiting = selectors.DefaultSelector()
    for number in range(count):
        waiting.register(ask(address, port, path), selectors.EVENT_READ, number)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            try:
                has_more = key.fileobj.recv(65536)
            except OSError:
                has_more = b""
            if not has_more:
                waiting.unregister(key.fileobj)
                print("closed", key.data, flush=True)


main()
