# SPDX-License-Identifier: GPL-2.0-only
"""A backend of several moods: moody.py NAME PORT FILE. The file's word says how GET is answered:

good; 503; cut: half of what Content-Length says, then closed; words: something that is no HTTP.
"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *args):
        pass

    def do_GET(self):
        with open(sys.argv[3], encoding="ascii") as file:
            mood = file.read().strip()
        body = (sys.argv[1] + "\n").encode() * 2
        if mood == "words":
            self.wfile.write(b"hello\r\n\r\n")
            self.close_connection = True
            return
        self.send_response(503 if mood == "503" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if mood == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 4096


Server((("", int(sys.argv[2]))), Handler).serve_forever()
