#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Servers that are healthy, or not in one certain way each: by port, and over HTTP by path.

check_server.py CERTDIR: 5200 http, 5201 greets, 5202 never answers, 5203 closes, 5204 resets,
5443 good certificate, 5444 expired, 5445 for another name."""
import socket
import ssl
import struct
import sys
import threading
import time

FLAPS = [0]


def answer(path):
    """The bytes for a path, or None to close without a word."""
    status, body = "200 OK", "all is fine\n"
    if path == "/500":
        status = "500 Internal Server Error"
    elif path == "/503":
        status = "503 Service Unavailable"
    elif path == "/slow":
        time.sleep(3)
    elif path == "/close":
        return None
    elif path == "/garbage":
        return b"\x01\x02 this is no HTTP\r\n\r\n"
    elif path == "/short":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nfew"
    elif path == "/flap":
        FLAPS[0] += 1
        if FLAPS[0] % 2:
            status = "500 Internal Server Error"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def serve_http(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        got = connection.recv(4096)
        if not got:
            return
        request += got
    reply = answer(request.split()[1].decode())
    if reply:
        connection.sendall(reply)


def greet(connection):
    connection.sendall(b"hello from here\n")
    connection.recv(1)


def never(connection):
    while connection.recv(4096):
        pass


def close(connection):
    pass


def reset(connection):
    connection.recv(4096)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def handle(connection, serve, tls):
    try:
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        serve(connection)
    except OSError:
        pass
    finally:
        connection.close()


def listen(port, serve, tls=None):
    server = socket.create_server(("", port), backlog=512)

    def accept():
        while True:
            connection, _ = server.accept()
            threading.Thread(target=handle, args=(connection, serve, tls), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def context(certs, name):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{certs}/{name}.pem", f"{certs}/{name}.key")
    return tls


def main():
    certs = sys.argv[1]
    listen(5201, greet)
    listen(5202, never)
    listen(5203, close)
    listen(5204, reset)
    for port, name in ((5443, "good"), (5444, "expired"), (5445, "other")):
        listen(port, serve_http, context(certs, name))
    listen(5200, serve_http)
    threading.Event().wait()


main()
