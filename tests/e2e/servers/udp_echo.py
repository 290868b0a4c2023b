# SPDX-License-Identifier: GPL-2.0-only
"""Sends each datagram back with the server's name before it: udp_echo.py NAME PORT [ADDRESS].

With an ADDRESS it listens only there, and answers from the address that it was asked at.
"""
import contextlib
import select
import socket
import sys

NAME = sys.argv[1].encode()
IP_PKTINFO = 8
IPV6_FREEBIND = 78


def listen(family, address):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        # To answer from an address that is local by a route and configured on no interface.
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind((address, int(sys.argv[2])))
    return sock


def asked_at(sock, controls):
    """The control message that makes the answer come from where the question went."""
    if sock.family == socket.AF_INET6:
        address = next(data for _, kind, data in controls if kind == socket.IPV6_PKTINFO)[:16]
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, address + bytes(4))]
    address = next(data for _, kind, data in controls if kind == IP_PKTINFO)[8:12]
    return [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + address + bytes(4))]


def answer(sock):
    data, controls, _, peer = sock.recvmsg(65535, 256)
    with contextlib.suppress(OSError):  # without a route to the peer
        sock.sendmsg([NAME, b" ", data], asked_at(sock, controls), 0, peer)


def main():
    if len(sys.argv) > 3:
        address = sys.argv[3]
        socks = [listen(socket.AF_INET6 if ":" in address else socket.AF_INET, address)]
    else:
        socks = [listen(socket.AF_INET, "0.0.0.0"), listen(socket.AF_INET6, "::")]
    while True:
        for sock in select.select(socks, [], [])[0]:
            answer(sock)


main()
