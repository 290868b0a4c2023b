# SPDX-License-Identifier: GPL-2.0-only
"""Both ends of a protocol with QUIC's headers (RFC 9000, 17) and without its cryptography.

quic_peer.py serve NAME PORT SERVER-ID [ADDRESS]
    Knows the connections that it has opened itself, by the ids it has given out: SERVER-ID in
    bytes 1 and 2. What comes for others is answered with "unknown". Answers come from the address
    that was asked; with an ADDRESS it listens only there.
quic_peer.py ask ADDRESS PORT CONNECTIONS FROM[,FROM...] [FILE]
    Opens connections, waits for FILE if it is given, and goes on with each from a new port and
    the next address again and again. A connection that does not stay whole is a failure.
"""
import os
import select
import socket
import struct
import sys
import time
from collections import Counter

INITIAL, HANDSHAKE, SHORT = 0xC0, 0xE0, 0x40
CID = 8
MOVES = 6
IP_PKTINFO, IPV6_FREEBIND = 8, 78


def long_header(kind, to, own):
    return struct.pack("!BLB", kind, 1, len(to)) + to + bytes([len(own)]) + own


def read(packet):
    """The kind of a packet, whom it is for, the sender's own id (long headers) and what is in it."""
    if not packet[0] & 0x80:
        return SHORT, packet[1:1 + CID], None, packet[1 + CID:]
    end = 6 + packet[5]
    own_end = end + 1 + packet[end]
    return packet[0] & 0xF0, packet[6:end], packet[end + 1:own_end], packet[own_end:]


def answer(packet, name, server_id, connections):
    kind, to, own, payload = read(packet)
    if kind == INITIAL:
        mine = os.urandom(1) + struct.pack("!H", server_id) + os.urandom(CID - 3)
        connections[mine] = [own, 0]
        return long_header(HANDSHAKE, own, mine) + name
    if to not in connections:
        return bytes([SHORT]) + bytes(CID) + b"unknown to " + name
    connections[to][1] += 1
    return bytes([SHORT]) + connections[to][0] + name + b" %d " % connections[to][1] + payload


def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind((address, port))
    return sock


def asked_at(sock, controls):
    """The control message that makes the answer come from where the question went."""
    if sock.family == socket.AF_INET6:
        address = next(data for _, kind, data in controls if kind == socket.IPV6_PKTINFO)[:16]
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, address + bytes(4))]
    address = next(data for _, kind, data in controls if kind == IP_PKTINFO)[8:12]
    return [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + address + bytes(4))]


def serve(name, port, server_id, addresses):
    socks, connections = [listen(address, port) for address in addresses], {}
    while True:
        for sock in select.select(socks, [], [])[0]:
            packet, controls, _, peer = sock.recvmsg(2048, 256)
            sock.sendmsg([answer(packet, name.encode(), server_id, connections)],
                         asked_at(sock, controls), 0, peer)


class Connection:
    """One connection, from whatever address."""

    def __init__(self, server):
        self.server, self.own, self.sent, self.sock = server, os.urandom(CID), 0, None

    def move(self, address):
        if self.sock:
            self.sock.close()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.settimeout(2)
        self.sock.bind((address, 0))
        self.sock.connect(self.server)

    def exchange(self, packet):
        self.sock.send(packet)
        return read(self.sock.recv(2048))

    def open(self):
        # The first id is made up, and looks as if it were the one of a server.
        first = b"\0" + struct.pack("!H", 0x0A01) + os.urandom(CID - 3)
        _, to, self.to, payload = self.exchange(long_header(INITIAL, first, self.own))
        assert to == self.own
        self.name = payload.decode()
        self.say(long_header(HANDSHAKE, self.to, self.own))

    def say(self, header=None):
        self.sent += 1
        words = os.urandom(20)
        payload = self.exchange((header or bytes([SHORT]) + self.to) + words)[3]
        if payload != b"%s %d %s" % (self.name.encode(), self.sent, words):
            raise ConnectionError(f"{self.name}'s got {payload[:20]!r} after {self.sent}")


def wait_for(path):
    end = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)


def ask(server, count, addresses, path):
    connections, failed, names = [], 0, Counter()
    for number in range(count):
        connection = Connection(server)
        connection.move(addresses[number % len(addresses)])
        connection.open()
        connections.append(connection)
    print("open", len(connections), flush=True)
    if path:
        wait_for(path)
    for number, connection in enumerate(connections):
        try:
            for move in range(MOVES):
                connection.move(addresses[(number + move + 1) % len(addresses)])
                connection.say()
                connection.say()
            names[connection.name] += 1
        except (OSError, ConnectionError) as error:
            failed += 1
            print("error", error)
    for name, stayed in sorted(names.items()):
        print("reply", name, stayed)
    print("failed", failed)
    return 1 if failed else 0


def main():
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:6] or ["0.0.0.0", "::"])
    path = sys.argv[6] if len(sys.argv) > 6 else None
    sys.exit(ask((sys.argv[2], int(sys.argv[3])), int(sys.argv[4]), sys.argv[5].split(","), path))


main()
