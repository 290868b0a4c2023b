# SPDX-License-Identifier: GPL-2.0-only
"""Sends each datagram back with the server's name before it: udp_echo.py NAME PORT."""
import select
import socket
import sys


def listen(family, address):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind((address, int(sys.argv[2])))
    return sock


def main():
    socks = [listen(socket.AF_INET, "0.0.0.0"), listen(socket.AF_INET6, "::")]
    name = sys.argv[1].encode()
    while True:
        for sock in select.select(socks, [], [])[0]:
            data, peer = sock.recvfrom(65535)
            sock.sendto(name + b" " + data, peer)


main()
