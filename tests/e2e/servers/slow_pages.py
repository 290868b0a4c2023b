# SPDX-License-Identifier: GPL-2.0-only
"""A backend that takes its time: slow_pages.py PORT.

/head      a byte of its head each second, without an end
/drip      may be stored; a byte each half second, 150 in all
/events    the same, and may not be stored
/late      may be stored for a second; from the second time on it takes 7 s to render, and may for a minute
/count/X   how often /X was asked for
Whatever is sent to it is read, and then it says how many bytes that were.
"""
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

counts = {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def answer(self, body, policy="no-store"):
        self.send_response(200)
        self.send_header("Cache-Control", policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def trickle(self, head, each, count):
        self.close_connection = True
        self.wfile.write(head)
        for _ in range(count):
            self.wfile.write(b"x")
            time.sleep(each)

    def do_GET(self):
        number = counts[self.path] = counts.get(self.path, 0) + 1
        if self.path.startswith("/count/"):
            self.answer(str(counts.get(self.path[6:], 0)).encode())
        elif self.path == "/head":
            self.trickle(b"HTTP/1.1 200 OK\r\nX: ", 1, 1000)
        elif self.path == "/drip":
            self.trickle(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 150\r\n\r\n", 0.5, 150)
        elif self.path == "/events":
            self.trickle(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 150\r\n\r\n", 0.5, 150)
        else:
            if number > 1:
                time.sleep(7)
            self.answer(b"%d" % number, f"max-age={60 if number > 1 else 1}, stale-if-error=600")

    def do_POST(self):
        got = 0
        while got < int(self.headers["Content-Length"]):
            got += len(self.rfile.read1(65536))
        self.answer(b"%d" % got)


class Server(ThreadingHTTPServer):
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
