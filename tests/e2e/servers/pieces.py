# SPDX-License-Identifier: GPL-2.0-only
"""Sends datagrams in fragments, in an order of its own, to servers that echo them (udp_echo.py).

pieces.py ADDRESS PORT ORDER SIZE EACH FROM[,FROM...]
    EACH datagrams of SIZE bytes from each source address, each from a port of its own. ORDER is
    "kernel" (the kernel makes the fragments, first one first), "backwards" (the last one first) or
    "shuffled". Prints "client FROM NAME COUNT" for each server heard, and "failed COUNT" of those
    that were not answered.
"""
import os
import random
import socket
import struct
import sys
from collections import Counter

DATA = 1304  # of each fragment, a multiple of 8: with outer headers it still fits 1,500 bytes
TRIES = 2
MORE = 1


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Sender:
    """Raw packets of one family."""

    def __init__(self, is_v6):
        self.is_v6 = is_v6
        self.sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_RAW,
                                  socket.IPPROTO_RAW)

    def datagram(self, source, target, payload):
        family = socket.AF_INET6 if self.is_v6 else socket.AF_INET
        addresses = socket.inet_pton(family, source[0]) + socket.inet_pton(family, target[0])
        header = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0)
        pseudo = addresses + struct.pack("!LL", 8 + len(payload), socket.IPPROTO_UDP)
        check = checksum(pseudo + header + payload) or 0xFFFF
        return addresses, header[:6] + struct.pack("!H", check) + payload

    def piece(self, addresses, number, offset, data, flags):
        if self.is_v6:
            fragment = struct.pack("!BBHL", socket.IPPROTO_UDP, 0, offset | flags, number)
            return struct.pack("!LHBB", 6 << 28, 8 + len(data), socket.IPPROTO_FRAGMENT,
                               64) + addresses + fragment + data
        return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), number & 0xFFFF,
                           flags << 13 | offset >> 3, 64, socket.IPPROTO_UDP, 0) + addresses + data

    def send(self, source, target, payload, order):
        addresses, whole = self.datagram(source, target, payload)
        number = random.randrange(1, 0x10000)
        pieces = [self.piece(addresses, number, at, whole[at:at + DATA],
                             MORE if at + DATA < len(whole) else 0)
                  for at in range(0, len(whole), DATA)]
        pieces.reverse()
        if order == "shuffled":
            random.shuffle(pieces)
        for piece in pieces:
            self.sock.sendto(piece, (target[0], 0))


def ask(sock, sender, target, payload, order):
    """Who sends the payload back, or None."""
    for _ in range(TRIES):
        try:
            if order == "kernel":
                sock.sendto(payload, target)
            else:
                sender.send(sock.getsockname(), target, payload, order)
            while True:
                name, _, back = sock.recv(65535).partition(b" ")
                if back == payload:
                    return name.decode()
        except OSError:
            continue
    return None


def main():
    target, order = (sys.argv[1], int(sys.argv[2])), sys.argv[3]
    size, each, sources = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6].split(",")
    is_v6 = ":" in target[0]
    sender, failed = Sender(is_v6), 0
    for source in sources:
        heard = Counter()
        for _ in range(each):
            with socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET,
                               socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.5)
                sock.bind((source, 0))
                name = ask(sock, sender, target, os.urandom(size), order)
            if name:
                heard[name] += 1
            else:
                failed += 1
        for name, count in sorted(heard.items()):
            print("client", source, name, count)
    print("failed", failed)


main()
