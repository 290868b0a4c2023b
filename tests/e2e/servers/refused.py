# SPDX-License-Identifier: GPL-2.0-only
"""Sends requests that must be refused: refused.py HOST PORT. One line for each that is not."""
import socket
import sys

H = b"Host: a.example\r\n"
G = b"GET /h/x HTTP/1.1\r\n"
P = b"POST /echo HTTP/1.1\r\n" + H

ROWS = [
    ("Transfer-Encoding with Content-Length", 400,
     P + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
    ("two different Content-Lengths", 400, P + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    ("Content-Length: +0", 400, P + b"Content-Length: +0\r\n\r\n"),
    ("Transfer-Encoding: xchunked", 501, P + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("Transfer-Encoding on HTTP/1.0", 400,
     b"POST /echo HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("space before the colon", 400, G + H + b"X : y\r\n\r\n"),
    ("two Hosts", 400, G + H + H + b"\r\n"),
    ("no Host", 400, G + b"\r\n"),
    ("bare LF", 400, b"GET /h/x HTTP/1.1\nHost: a.example\n\n"),
    ("bare CR in a value", 400, G + H + b"X: a\rb\r\n\r\n"),
    ("NUL in a value", 400, G + H + b"X: a\0b\r\n\r\n"),
    ("obs-fold", 400, G + H + b"X: a\r\n b\r\n\r\n"),
    ("chunk size 0x0", 400, P + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n"),
    ("chunk extension with bare LF", 400,
     P + b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\n0\r\n\r\n"),
    ("HTTP/1.2", 505, b"GET /h/x HTTP/1.2\r\n" + H + b"\r\n"),
    ("absolute URI with another host", 400, b"GET http://b.example/ HTTP/1.1\r\n" + H + b"\r\n"),
    ("a head that is too large", 431, G + H + b"X: " + b"y" * 20000 + b"\r\n\r\n"),
    ("too many fields", 431, G + H + b"X: y\r\n" * 100 + b"\r\n"),
    ("a target that is too long", 414, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n"),
    ("CONNECT", 501, b"CONNECT a.example:443 HTTP/1.1\r\n" + H + b"\r\n"),
]


def answer(data):
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as sock:
        sock.settimeout(5)
        # A second request behind the bad one must not be answered.
        sock.sendall(data + G + H + b"\r\n")
        got = b""
        try:
            while True:
                piece = sock.recv(65536)
                if not piece:
                    return got, True
                got += piece
        except OSError as error:
            return got, isinstance(error, ConnectionResetError)


failed = 0
for name, status, data in ROWS:
    got, is_closed = answer(data)
    if not got.startswith(b"HTTP/1.1 %d " % status) or got.count(b"HTTP/1.1 ") != 1 or not is_closed:
        failed += 1
        print(f"{name}: expected {status} and the end, got {got[:40]!r}"
              f" ({got.count(b'HTTP/1.1 ')} answers, {'closed' if is_closed else 'open'})")
sys.exit(1 if failed else 0)
