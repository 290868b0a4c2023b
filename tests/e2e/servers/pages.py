# SPDX-License-Identifier: GPL-2.0-only
"""Pages for the cache's tests: pages.py NAME PORT. What a page does stands in its path:

/count/PATH   how often PATH was rendered (/count/post/PATH: changed)      /peak   most requests at one time since the last /peak
/h/...?NAME=VALUE&...  has these fields; body=N bytes, sleep=S seconds, status=N, size=N random bytes
/echo the request's head and body   /gate  half a body, the rest after /open   /ws an upgrade, echoed
POST, PUT and DELETE are answered with what was sent; where that is "gate", after /open
/liar/KIND    answers that are wrong in one way each
"""
import random
import socket
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

counts = {}
lock = threading.Lock()
gate = threading.Event()
busy = {"now": 0, "peak": 0}

LIARS = {
    "short": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nabc",
    "chunk": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\nxyz\r\n",
    "halfchunk": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "both": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n0\r\n\r\n",
    "bare": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "nothing": b"",
    "words": b"hello\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\n" + b"X-Y: " + b"z" * 900 + b"\r\n",
    "continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000,
    "surplus": b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 3\r\n\r\nabc"
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def answer(self, status, fields, body):
        self.send_response(status)
        self.send_header("X-Server", sys.argv[1])
        for name, value in fields:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            whole = b""
            while True:
                size = int(self.rfile.readline(), 16)
                whole += self.rfile.read(size)
                self.rfile.readline()
                if not size:
                    return whole
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def page(self, url, number):
        query = urllib.parse.parse_qsl(url.query)
        status, body = 200, f"{url.path} {number}\n".encode()
        fields = []
        for name, value in query:
            if name == "sleep":
                time.sleep(float(value))
            elif name == "status":
                status = int(value)
            elif name == "size":
                body = random.Random(url.path).randbytes(int(value))
            elif name == "vary":
                fields.append(("Vary", value))
                body = (self.headers.get(value, "-") + "\n").encode()
            elif name != "x":
                fields.append((name, value))
        tag = dict(fields).get("ETag")
        if tag and tag == self.headers.get("If-None-Match"):
            status = 304
        self.answer(status, fields, body)

    def lie(self, kind):
        self.wfile.write(LIARS[kind])
        for _ in range(100 if kind == "endless" else 0):
            self.wfile.write(b"X-Y: " + b"z" * 900 + b"\r\n")
        while kind in ("continues", "hints"):  # until nobody takes them
            self.wfile.write(LIARS[kind])
        self.wfile.flush()
        if kind == "surplus":
            time.sleep(1)
        self.close_connection = True

    def half_and_half(self):
        gate.clear()
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", "10")
        self.end_headers()
        self.wfile.write(b"first")
        self.wfile.flush()
        gate.wait(20)
        self.wfile.write(b"other")

    def upgrade(self):
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        )
        self.close_connection = True
        while True:
            data = self.connection.recv(4096)
            if not data:
                return
            self.wfile.write(data)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        with lock:
            number = counts[url.path] = counts.get(url.path, 0) + 1
            busy["now"] += 1
            busy["peak"] = max(busy["peak"], busy["now"])
        try:
            if url.path.startswith("/count/"):
                self.answer(200, [], str(counts.get(url.path[6:], 0)).encode())
            elif url.path == "/peak":
                self.answer(200, [], str(busy["peak"]).encode())
                busy["peak"] = 0
            elif url.path.startswith("/liar/"):
                self.lie(url.path[6:])
            elif url.path == "/gate":
                self.half_and_half()
            elif url.path == "/open":
                gate.set()
                self.answer(200, [], b"open\n")
            elif url.path == "/ws":
                self.upgrade()
            elif url.path == "/echo":
                self.answer(200, [], str(self.headers).encode() + self.body())
            else:
                self.page(url, number)
        finally:
            with lock:
                busy["now"] -= 1

    do_HEAD = do_GET

    def do_POST(self):
        with lock:
            name = "/post" + self.path
            counts[name] = counts.get(name, 0) + 1
        body = self.body()
        if body == b"gate":
            gate.wait(20)
        self.answer(200, [], body)

    do_PUT = do_DELETE = do_POST


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[2])), Handler).serve_forever()
