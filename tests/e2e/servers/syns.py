#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Half a handshake, as a port scan makes it: syns.py SOURCE ADDRESS PORT COUNT good|bad.

Sends SYNs from as many ports of its own; the kernel, which knows nothing of them, resets what is
answered. Of bad ones the checksum is wrong, so nobody answers."""
import socket
import struct
import sys

SOURCE, ADDRESS, PORT, COUNT, KIND = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
FIRST_PORT = 15000


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def syn(port):
    addresses = socket.inet_aton(SOURCE) + socket.inet_aton(ADDRESS)

    def header(check):
        return struct.pack("!HHIIBBHHH", port, PORT, 7, 0, 5 << 4, 2, 64240, check, 0)

    right = checksum(addresses + struct.pack("!BBH", 0, 6, 20) + header(0))
    return header(right if KIND == "good" else right ^ 0x1111)


sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
sock.bind((SOURCE, 0))
for number in range(COUNT):
    sock.sendto(syn(FIRST_PORT + number), (ADDRESS, 0))
