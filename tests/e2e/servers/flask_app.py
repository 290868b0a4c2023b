# SPDX-License-Identifier: GPL-2.0-only
"""A web server that says its name: flask_app.py NAME PORT [ADDRESS]. /client also who asks;
/page takes 50 ms to render, and /rendered tells how often it was;
/file/MEGABYTES is a body whose SHA-256 its last header tells."""
import hashlib
import logging
import socket
import sys
import threading
import time

from flask import Flask, Response, request
from werkzeug.serving import make_server

NAME, PORT = sys.argv[1], int(sys.argv[2])
ADDRESS = sys.argv[3] if len(sys.argv) > 3 else "::"
CHUNK = bytes(range(256)) * 256

app = Flask(__name__)
rendered = 0
lock = threading.Lock()


@app.get("/")
def name():
    return f"{NAME}\n"


@app.get("/client")
def client():
    return f"{NAME} {request.remote_addr}\n"


@app.get("/page")
def page():
    global rendered
    with lock:
        rendered += 1
    time.sleep(0.05)
    return f"{NAME} took 50 ms for this page\n"


@app.get("/rendered")
def how_often():
    return str(rendered)


@app.get("/file/<int:megabytes>")
def file(megabytes):
    count = megabytes * 16
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(CHUNK)
    headers = {"X-Server": NAME, "X-SHA256": digest.hexdigest(), "Content-Length": count * len(CHUNK)}
    return Response((CHUNK for _ in range(count)), headers=headers,
                    mimetype="application/octet-stream")


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # One socket for both families; the development server itself opens only one of them.
    is_v6 = ":" in ADDRESS
    listener = socket.create_server((ADDRESS, PORT),
                                    family=socket.AF_INET6 if is_v6 else socket.AF_INET,
                                    dualstack_ipv6=ADDRESS == "::", backlog=512)
    make_server(ADDRESS, PORT, app, threaded=True, fd=listener.fileno()).serve_forever()


main()
