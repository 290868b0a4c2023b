# SPDX-License-Identifier: GPL-2.0-only
"""Clients that send one request behind the other: pipeline.py ADDR PORT CASE [PID].

order   lbcache (PID) is stopped while one client sends 300 requests and another its one; then all are read
cut     40 requests at once, then nothing more is sent: all are answered
endless asks until it is killed
"""
import os
import signal
import socket
import sys
import threading
import time

PEER = (sys.argv[1], int(sys.argv[2]))
PATH = "/h/pipe?Cache-Control=max-age%3D600&ETag=%22e%22"


def request(agent):
    return f'GET {PATH} HTTP/1.1\r\nHost: a\r\nUser-Agent: {agent}\r\nIf-None-Match: "e"\r\n\r\n'.encode()


def connect():
    return socket.create_connection(PEER, 20)


def read_answers(s, count):
    seen = b""
    while seen.count(b"HTTP/1.1 304") < count:
        data = s.recv(65536)
        if not data:
            break
        seen += data
    got = seen.count(b"HTTP/1.1 304")
    if got != count:
        sys.exit(f"{got} of {count} answers")


def order():
    many, one = connect(), connect()
    for s in (many, one):
        s.sendall(request("first"))
        s.settimeout(20)
        read_answers(s, 1)
    os.kill(int(sys.argv[4]), signal.SIGSTOP)
    try:
        many.sendall(request("many") * 300)
        one.sendall(request("one"))
        time.sleep(0.5)  # both are there before it goes on, on a busy machine too
    finally:
        os.kill(int(sys.argv[4]), signal.SIGCONT)
    read_answers(one, 1)
    read_answers(many, 300)


def cut():
    s = connect()
    s.settimeout(20)
    s.sendall(request("cut") * 40)
    s.shutdown(socket.SHUT_WR)
    read_answers(s, 40)


def discard(s):
    while s.recv(1 << 20):
        pass


def endless():
    s = connect()
    threading.Thread(target=discard, args=(s,), daemon=True).start()
    blob = request("endless") * 5000
    while True:
        s.sendall(blob)


globals()[sys.argv[3]]()
