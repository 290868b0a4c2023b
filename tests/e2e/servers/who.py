# SPDX-License-Identifier: GPL-2.0-only
"""A server that says by which address it sees its client, over HTTP and UDP on one port.

who.py serve NAME PORT BLOB ADDRESS…: GET / says who, GET /blob sends the file, PUT answers with the
SHA-256 of what came. UDP is served at these addresses, from which the answers come too.
who.py ask FROM ADDRESS PORT SIZE…: datagrams of such sizes, each answered whole; says who answered.
"""
import hashlib
import selectors
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def host_of(peer):
    return peer[0].removeprefix("::ffff:")


class Handler(BaseHTTPRequestHandler):
    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, *words):
        self.reply(" ".join([self.server.name, host_of(self.client_address), *words]).encode() + b"\n")

    def do_GET(self):
        if self.path == "/blob":
            with open(self.server.blob, "rb") as blob:
                self.reply(blob.read())
        else:
            self.say()

    def do_PUT(self):
        digest = hashlib.sha256()
        left = int(self.headers["Content-Length"])
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                return
            digest.update(piece)
            left -= len(piece)
        self.say(digest.hexdigest())

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve_datagrams(name, port, addresses):
    ready = selectors.DefaultSelector()
    for address in addresses:
        sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
        sock.bind((address, port))
        ready.register(sock, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            data, peer = key.fileobj.recvfrom(65535)
            key.fileobj.sendto(f"{name} {host_of(peer)} ".encode() + data, peer)


def serve(name, port, blob, *addresses):
    server = Server(("::", int(port)), Handler)
    server.name = name
    server.blob = blob
    threading.Thread(
        target=serve_datagrams, args=(name, int(port), addresses), daemon=True
    ).start()
    server.serve_forever()


def exchange(sock, data):
    """A datagram may be lost while the way's MTU is found out."""
    for _ in range(5):
        try:
            sock.send(data)
            answer = sock.recv(65535)
        except (TimeoutError, OSError):
            continue
        name, client, echo = answer.split(b" ", 2)
        if echo == data:
            return name.decode(), client.decode()
    sys.exit(f"no answer to {len(data)} bytes")


def ask(source, address, port, *sizes):
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    sock.bind((source, 0))
    sock.settimeout(0.3)
    sock.connect((address, int(port)))
    answers = {exchange(sock, bytes(i % 251 for i in range(int(size)))) for size in sizes}
    if len(answers) != 1:
        sys.exit(f"several answered: {answers}")
    print(*answers.pop())


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
