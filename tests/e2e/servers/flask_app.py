# SPDX-License-Identifier: GPL-2.0-only
"""A web server that says its name; /file/MEGABYTES is a body whose SHA-256 its last header tells."""
import hashlib
import logging
import socket
import sys

from flask import Flask, Response
from werkzeug.serving import make_server

NAME, PORT = sys.argv[1], int(sys.argv[2])
CHUNK = bytes(range(256)) * 256

app = Flask(__name__)


@app.get("/")
def name():
    return f"{NAME}\n"


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
    listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True,
                                    backlog=512)
    make_server("::", PORT, app, threaded=True, fd=listener.fileno()).serve_forever()


main()
