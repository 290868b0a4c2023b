# SPDX-License-Identifier: GPL-2.0-only
"""The largest segment that TCP sends on a connection, as both of its ends know it.

maxseg.py serve PORT: tells each client what it may send, and takes what comes.
maxseg.py ask FROM ADDRESS PORT: prints what the server may send and what the client may.
"""
import socket
import sys


def maxseg(connection):
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def serve(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"%d\n" % maxseg(connection))


def ask(source, address, port):
    with socket.create_connection((address, port), timeout=5, source_address=(source, 0)) as client:
        print(client.makefile().readline().strip(), maxseg(client))


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    ask(sys.argv[2], sys.argv[3], int(sys.argv[4]))
