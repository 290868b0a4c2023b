# SPDX-License-Identifier: GPL-2.0-only
"""slow_requests.py ADDRESS PORT COUNT FILE: so many clients that never finish a request, a byte every three seconds.
Who is cut off comes back with the next byte. FILE gets a line for each time that happened."""
import selectors
import socket
import sys
import time

address, port, count, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
BEGIN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
waiting = selectors.DefaultSelector()


def begin():
    client = socket.create_connection((address, port))
    client.sendall(BEGIN)
    waiting.register(client, selectors.EVENT_READ)


def end(client, log):
    waiting.unregister(client)
    client.close()
    log.write("cut off\n")
    log.flush()


with open(path, "w", encoding="ascii") as log:
    for _ in range(count):
        begin()
    log.write("all there\n")
    log.flush()
    last = time.monotonic()
    missing = 0
    while True:
        for key, _ in waiting.select(0.2):
            try:
                is_open = key.fileobj.recv(4096)
            except OSError:
                is_open = b""
            if not is_open:
                end(key.fileobj, log)
                missing += 1
        if time.monotonic() - last < 3:
            continue
        last = time.monotonic()
        for key in list(waiting.get_map().values()):
            try:
                key.fileobj.sendall(b"a")
            except OSError:
                end(key.fileobj, log)
                missing += 1
        for _ in range(missing):
            begin()
        missing = 0
