# SPDX-License-Identifier: GPL-2.0-only
"""Keeps one datagram under way from each of 16 ports until SIGTERM: udp_steady.py ADDRESS PORT.

Each must come back within three seconds. Prints "sent N" and "lost N"; none is sent twice.
"""
import selectors
import signal
import socket
import sys
import time

ADDRESS, PORT, FLOWS, PATIENCE = sys.argv[1], int(sys.argv[2]), 16, 3


class Flow:
    def __init__(self, number):
        family = socket.AF_INET6 if ":" in ADDRESS else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.connect((ADDRESS, PORT))
        self.number, self.count, self.lost = number, 0, 0
        self.is_waiting = False

    def send(self):
        self.count += 1
        self.payload = b"%d.%d" % (self.number, self.count)
        self.sock.send(self.payload)
        self.sent_at, self.is_waiting = time.monotonic(), True

    def receive(self):
        try:
            if self.sock.recv(2048).partition(b" ")[2] == self.payload:
                self.is_waiting = False
        except ConnectionRefusedError:
            self.lost, self.is_waiting = self.lost + 1, False

    def look_at_clock(self):
        if self.is_waiting and time.monotonic() - self.sent_at > PATIENCE:
            self.lost, self.is_waiting = self.lost + 1, False


def main():
    is_stopped = []
    signal.signal(signal.SIGTERM, lambda *_: is_stopped.append(True))
    flows = [Flow(number) for number in range(FLOWS)]
    selector = selectors.DefaultSelector()
    for flow in flows:
        selector.register(flow.sock, selectors.EVENT_READ, flow)
        flow.send()
    while any(flow.is_waiting for flow in flows) or not is_stopped:
        for key, _ in selector.select(0.1):
            key.data.receive()
        for flow in flows:
            flow.look_at_clock()
            if not flow.is_waiting and not is_stopped:
                flow.send()
    print("sent", sum(flow.count for flow in flows))
    print("lost", sum(flow.lost for flow in flows))


main()
