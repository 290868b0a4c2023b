# SPDX-License-Identifier: GPL-2.0-only
"""A server that says by which address it sees its client: who.py NAME PORT BLOB.

GET / says who, GET /blob sends the file, PUT answers with the SHA-256 of what came.
"""
import hashlib
import socket
import sys
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


def serve(name, port, blob):
    server = Server(("::", int(port)), Handler)
    server.name = name
    server.blob = blob
    server.serve_forever()


serve(*sys.argv[1:])
