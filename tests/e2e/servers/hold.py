# SPDX-License-Identifier: GPL-2.0-only
"""hold.py ADDRESS PORT PATH COUNT: asks so often for a large page, and takes a little of it now and then."""
import socket
import sys
import time

PAUSE_S = 2
ROUNDS = 10


def ask(address, port, path):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(5)
    sock.connect((address, port))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
    return sock


def main():
    address, port, path, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    held = [ask(address, port, path) for _ in range(count)]
    for _ in range(ROUNDS):
        time.sleep(PAUSE_S)
        for sock in held:
            try:
                sock.recv(2048)
            except OSError:
                pass  # one that was turned away


main()
