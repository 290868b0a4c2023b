# SPDX-License-Identifier: GPL-2.0-only
"""One port over TCP and UDP, whose server says by which address it sees its client, and the visitor.

cell.py serve NAME PORT BLOB [ADDRESS…]: at all addresses or at these; a connection asks "who", "get"
(the file) or "put" (a digest of what comes); a datagram comes back with name and client before it,
from where it was sent to.
cell.py visit FROM ADDRESS PORT BLOB LARGEST: connections, the file each way, datagrams up to a size;
prints who answered and which clients they saw.
"""
import hashlib
import select
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

IP_PKTINFO = 8
IPV6_FREEBIND = 78
CONNECTIONS = 20  # enough that two backends both get some
FLOWS = 20
SIZES = (0, 1, 33, 1200, 1432, 4000)


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def digest_of(data):
    return hashlib.sha256(data).hexdigest()


def read_all(sock):
    pieces = []
    while piece := sock.recv(1 << 18):
        pieces.append(piece)
    return b"".join(pieces)


def serve_stream(name, port, blob, address):
    def handle(sock, peer):
        with sock:
            who = f"{name} {peer[0]}".encode()
            request = sock.recv(4, socket.MSG_WAITALL)
            if request == b"get\n":
                sock.sendall(blob)
            elif request == b"put\n":
                sock.sendall(f"{name} {peer[0]} {digest_of(read_all(sock))}".encode())
            elif request == b"who\n":
                sock.sendall(who)

    server = socket.create_server((address, port), family=family_of(address), backlog=128)
    while True:
        threading.Thread(target=handle, args=server.accept(), daemon=True).start()


def open_datagrams(address, port):
    """An answer comes from where the question went, which may be configured nowhere (local)."""
    sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.bind((address, port))
    return sock


def answer_from(family, controls):
    if family == socket.AF_INET6:
        address = next(data for _, kind, data in controls if kind == socket.IPV6_PKTINFO)[:16]
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, address + bytes(4))]
    address = next(data for _, kind, data in controls if kind == IP_PKTINFO)[8:12]
    return [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + address + bytes(4))]


def serve(name, port, path, *addresses):
    with open(path, "rb") as file:
        blob = file.read()
    addresses = addresses or ("0.0.0.0", "::")
    socks = [open_datagrams(address, int(port)) for address in addresses]
    for address in addresses:
        threading.Thread(
            target=serve_stream, args=(name, int(port), blob, address), daemon=True
        ).start()
    while True:
        for sock in select.select(socks, [], [])[0]:
            data, controls, _, peer = sock.recvmsg(65535, 256)
            who = f"{name} {peer[0]} ".encode()
            sock.sendmsg([who, data], answer_from(sock.family, controls), 0, peer)


def exchange(source, to, request):
    with socket.socket(family_of(source), socket.SOCK_STREAM) as sock:
        sock.settimeout(10)
        sock.bind((source, 0))
        sock.connect(to)
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def send_datagrams(source, to, sizes):
    """One may be lost while the way's MTU is found out, and is sent again."""
    with socket.socket(family_of(source), socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.settimeout(0.3)
        sock.connect(to)
        for size in sizes:
            data = bytes(i % 251 for i in range(size))
            for _ in range(6):
                try:
                    sock.send(data)
                    name, client, echo = sock.recv(65535).split(b" ", 2)
                except OSError:
                    continue
                if echo == data:
                    break
            else:
                sys.exit(f"no answer to a datagram of {size} bytes")
            yield f"{name.decode()} {client.decode()}"


def visit(source, address, port, path, largest):
    to = (address, int(port))
    with open(path, "rb") as file:
        blob = file.read()
    tcp = {exchange(source, to, b"who\n").decode() for _ in range(CONNECTIONS)}
    with ThreadPoolExecutor() as pool:  # both ways at once
        down = pool.submit(exchange, source, to, b"get\n")
        up = pool.submit(exchange, source, to, b"put\n" + blob)
        if digest_of(down.result()) != digest_of(blob):
            sys.exit("the file came down changed or in part")
        name, client, digest = up.result().decode().split()
        if digest != digest_of(blob):
            sys.exit("the file came up changed")
    sizes = [size for size in SIZES if size <= int(largest)]
    udp = {who for _ in range(FLOWS) for who in send_datagrams(source, to, sizes)}
    for proto, seen in (("tcp", tcp | {f"{name} {client}"}), ("udp", udp)):
        for who in sorted(seen):
            print(proto, who)


{"serve": serve, "visit": visit}[sys.argv[1]](*sys.argv[2:])
