# SPDX-License-Identifier: GPL-2.0-only
"""Servers on many ports that say which address and port a client asked for.

ports.py serve NAME ADDRESS FIRST LAST: TCP and UDP at an IPv4 address, or at "::" TCP alone.
ports.py ask tcp|udp FROM ADDRESS PORT: prints the answer, or "nobody".
"""
import selectors
import socket
import sys

IP_PKTINFO = 8


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def answer_tcp(server, name):
    connection, peer = server.accept()
    with connection:
        address, port = connection.getsockname()[:2]
        words = [name, address.removeprefix("::ffff:"), str(port), peer[0].removeprefix("::ffff:")]
        connection.sendall(" ".join(words).encode())


def answer_udp(server, name):
    _, controls, _, peer = server.recvmsg(100, 256)
    asked = next(data for _, kind, data in controls if kind == IP_PKTINFO)[8:12]
    words = [name, socket.inet_ntoa(asked), str(server.getsockname()[1]), peer[0]]
    answer_from = [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + asked + bytes(4))]
    server.sendmsg([" ".join(words).encode()], answer_from, 0, peer)


def serve(name, address, first, last):
    selector = selectors.DefaultSelector()
    family = family_of(address)
    for port in range(first, last + 1):
        server = socket.create_server((address, port), family=family, dualstack_ipv6=address == "::")
        selector.register(server, selectors.EVENT_READ, answer_tcp)
        if address == "::":
            continue
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        server.bind((address, port))
        selector.register(server, selectors.EVENT_READ, answer_udp)
    while True:
        for key, _ in selector.select():
            key.data(key.fileobj, name)


def ask(proto, source, address, port):
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family_of(address), kind) as client:
        client.settimeout(1.5)
        client.bind((source, 0))
        try:
            client.connect((address, port))
            if proto == "udp":
                client.send(b"?")
            print(client.recv(200).decode() or "nobody")
        except OSError:
            print("nobody")


if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
else:
    ask(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
