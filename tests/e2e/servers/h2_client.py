# SPDX-License-Identifier: GPL-2.0-only
"""A client in HTTP/2 that can be malformed: h2_client.py ADDR PORT CASE... It knows frames, and of HPACK
(RFC 7541) what it needs: fields are sent as they are, and of an answer only the status is read."""
import socket
import ssl
import struct
import sys
import time

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS = 1, 4
NO_ERROR, PROTOCOL, FLOW, CLOSED, SIZE, REFUSED, CANCEL, COMPRESSION, CALM = 0, 1, 3, 5, 6, 7, 8, 9, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HOST = "a.example:8443"
GET = [(":method", "GET"), (":scheme", "https"), (":authority", HOST), (":path", "/h/page")]


def without(name):
    return [field for field in GET if field[0] != name]


def changed(name, value):
    return [(n, value if n == name else v) for n, v in GET]


def integer(value, bits):
    top = (1 << bits) - 1
    if value < top:
        return bytes([value])
    out, value = [top], value - top
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def encoded(fields):
    out = b""
    for field in fields:
        out += b"\0"
        for text in field:
            text = text.encode("latin-1")
            out += integer(len(text), 7) + text
    return out


def status_of(block):
    """Of a head's first field; table sizes may stand before it."""
    while block[0] & 0xE0 == 0x20:
        block = block[1:]
    if block[0] & 0x80:
        return [200, 204, 206, 304, 400, 404, 500][(block[0] & 0x7F) - 8]
    assert block[0] & 0x0F == 8, block
    length, text = block[1] & 0x7F, block[2:]
    if not block[1] & 0x80:
        return int(text[:length])
    bits, out = "".join(f"{byte:08b}" for byte in text[:length]), ""
    while len(out) < 3:
        size = 5 if bits[:5] in ("00000", "00001", "00010") else 6
        out += str(int(bits[:size], 2) - (0 if size == 5 else 22))
        bits = bits[size:]
    return int(out)


class Connection:
    """Answers are gathered as they come: heads, bytes of bodies, resets, and how it all ended."""

    def __init__(self, settings=b"", preface=PREFACE, window=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
        self.socket = context.wrap_socket(plain, server_hostname="a.example")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.heads, self.bodies, self.resets, self.ended = {}, {}, {}, set()
        self.goaway, self.is_closed, self.pending, self.acks = None, False, b"", 0
        self.last, self.window, self.is_quiet = None, window, not preface
        if preface:
            self.send(preface + self.frame(SETTINGS, 0, 0, settings))

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            self.is_closed = True

    def put(self, kind, flags, stream, payload=b""):
        self.send(self.frame(kind, flags, stream, payload))

    def ask(self, stream, fields, flags=END_STREAM | END_HEADERS):
        block = encoded(fields)
        parts = [block[at : at + 16384] for at in range(0, len(block), 16384)]
        for i, part in enumerate(parts):
            last = END_HEADERS if i == len(parts) - 1 else 0
            self.put(HEADERS if i == 0 else CONTINUATION, flags & (~END_HEADERS | last) if i == 0 else last, stream, part)

    def take(self, kind, flags, stream, payload):
        if kind == HEADERS:
            self.heads.setdefault(stream, []).append(status_of(payload))
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
            if payload and self.window != 0:
                self.put(WINDOW, 0, 0, struct.pack(">I", len(payload)))
                if not flags & END_STREAM:
                    self.put(WINDOW, 0, stream, struct.pack(">I", len(payload)))
        elif kind == RST:
            self.resets[stream] = struct.unpack(">I", payload)[0]
        elif kind == GOAWAY:
            self.last, self.goaway = struct.unpack(">II", payload[:8])
        elif kind == SETTINGS and not flags & 1 and not self.is_quiet:
            self.put(SETTINGS, 1, 0)
        elif kind == PING:
            self.acks += 1
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(stream)

    def read(self, until, seconds=8):
        """Takes frames until the condition holds or the connection ends."""
        end = time.monotonic() + seconds
        while not until() and not self.is_closed:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except socket.timeout:
                return until()
            except OSError:
                data = b""
            if not data:
                self.is_closed = True
            self.pending += data
            while len(self.pending) >= 9:
                length = int.from_bytes(self.pending[:3], "big")
                if len(self.pending) < 9 + length:
                    break
                kind, flags, stream = struct.unpack(">BBI", self.pending[3:9])
                payload = self.pending[9 : 9 + length]
                self.pending = self.pending[9 + length :]
                self.take(kind, flags, stream, payload)
        return until()

    def is_done(self, stream):
        return stream in self.ended or stream in self.resets

    def answer(self, stream=1):
        self.read(lambda: self.is_done(stream) or self.goaway is not None)
        return self.heads.get(stream, [None])[-1]

    def is_alive(self):
        """Still answers another request."""
        self.ask(1001, GET)
        return self.answer(1001) == 200


def expect(what, is_so):
    if not is_so:
        print(what)
        sys.exit(1)


shared = []


def try_stream(send):
    """On a connection that all of them share, which must go on whatever becomes of the stream."""
    if not shared:
        shared.append(Connection(settings=struct.pack(">HI", 1, 0)))
        shared[0].next = 1
    c = shared[0]
    stream, c.next = c.next, c.next + 2
    send(c, stream)
    c.answer(stream)
    return c, stream


def is_reset(what, send):
    c, stream = try_stream(send)
    expect(f"{what}: {c.heads.get(stream)} {c.resets.get(stream)} {c.goaway}", c.resets.get(stream) == PROTOCOL)
    expect(f"{what} is answered", stream not in c.heads)


def refused_stream(fields):
    is_reset(fields, lambda c, stream: c.ask(stream, fields))


def answered(fields, status):
    c, stream = try_stream(lambda c, stream: c.ask(stream, fields))
    got = c.heads.get(stream)
    expect(f"{fields[:5]}: {got} {c.resets.get(stream)} {c.goaway}", got and got[-1] == status)


def refused_connection(what, data, code):
    c = Connection()
    c.read(lambda: False, 0.05)
    c.send(data)
    c.read(lambda: False, 3)
    expect(f"{what}: {c.goaway}, {'closed' if c.is_closed else 'open'}", c.goaway == code and c.is_closed)


def preface():
    c = Connection(preface=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    c.read(lambda: False, 3)
    expect(f"{c.heads} {c.goaway}", c.is_closed and not c.heads and c.goaway == PROTOCOL)


def frames():
    f = Connection.frame
    refused_connection("a frame of 16385 bytes", f(DATA, 0, 1, b"x" * 16385), SIZE)
    refused_connection("a PING of 7 bytes", f(PING, 0, 0, b"x" * 7), SIZE)
    refused_connection("an even stream", f(HEADERS, 5, 2, encoded(GET)), PROTOCOL)
    refused_connection("DATA of no stream", f(DATA, 0, 0, b"x"), PROTOCOL)
    refused_connection("PUSH_PROMISE", f(PUSH, 4, 1, b"\0\0\0\2" + encoded(GET)), PROTOCOL)
    refused_connection("a window of 0", f(WINDOW, 0, 0, b"\0\0\0\0"), PROTOCOL)
    refused_connection("a window of 2^31", f(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), FLOW)
    refused_connection("a head cut into", f(HEADERS, 1, 1, encoded(GET)) + f(PING, 0, 0, b"x" * 8), PROTOCOL)
    refused_connection("an index of no table", f(HEADERS, 5, 1, b"\xff\xff\x7f"), COMPRESSION)


def field_names():
    for name in ("Upper", "bl ank", "co:lon", "new\nline", "nul\0", "\x7f", "\xe4", ""):
        refused_stream(GET + [(name, "x")])
    for value in ("a\r\nb: c", "a\nb", "a\rb", "a\0b", " a", "a ", "\ta", "a\t", "\x01"):
        refused_stream(GET + [("x", value)])


def connection_fields():
    for name in ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"):
        refused_stream(GET + [(name, "close" if name == "connection" else "chunked")])
    refused_stream(GET + [("te", "gzip")])
    answered(GET + [("te", "trailers")], 200)


def pseudo_fields():
    refused_stream([("x", "y")] + GET)
    refused_stream(GET + [(":foo", "bar")])
    refused_stream(GET + [(":status", "200")])
    for name, value in GET:
        refused_stream(GET + [(name, value)])


def request_fields():
    for name in (":method", ":scheme", ":path", ":authority"):
        refused_stream(without(name))
    for path in ("", "page", "http://b.example/", "*", "/a b", "/a\r\nx: y", "/\x7f"):
        refused_stream(changed(":path", path))
    for method in ("", "G T", "GET /x HTTP/1.1\r\nx:"):
        refused_stream(changed(":method", method))
    for authority in ("", "a b", "a/b", "a\r\nx: y"):
        refused_stream(changed(":authority", authority))
    refused_stream(changed(":scheme", "http"))
    refused_stream(GET + [("host", "b.example")])
    refused_stream(GET + [("host", HOST), ("host", HOST)])
    answered(without(":authority") + [("host", HOST)], 200)
    answered(GET + [("host", HOST.upper())], 200)


def connect():
    answered([(":method", "CONNECT"), (":authority", "b.example:443")], 501)
    refused_stream([(":method", "CONNECT"), (":protocol", "websocket")] + GET[1:])


def post(c, stream, *more):
    c.ask(stream, changed(":method", "POST") + list(more), END_HEADERS)


def lengths():
    """RFC 9113 8.1.1: the parts that came must be as long as was said."""
    for said, parts in (("5", [b"abc"]), ("5", [b"abc", b"def"]), ("5", [b""]), ("-1", [b""]), ("+3", [b"abc"])):

        def send(c, stream):
            post(c, stream, ("content-length", said))
            for i, part in enumerate(parts):
                c.put(DATA, END_STREAM if i == len(parts) - 1 else 0, stream, part)

        is_reset(said, send)
    refused_stream(GET + [("content-length", "3")])
    refused_stream(GET + [("content-length", "0"), ("content-length", "0")])


def bodies():
    """With and without a length, padded, empty frames between, and fields behind it."""
    for more in ([("content-length", "6")], []):
        c = Connection()
        post(c, 1, *more)
        for part in (b"abc", b"", b"de"):
            c.put(DATA, 0, 1, part)
        c.put(DATA, 8, 1, b"\x02f\0\0")
        c.put(HEADERS, END_STREAM | END_HEADERS, 1, encoded([("x-behind", "y")]))
        expect(f"{more}: {c.answer()} {c.resets} {c.bodies}", c.heads[1] == [200] and c.bodies[1] == b"abcdef")
    c = Connection()
    post(c, 1)
    c.put(DATA, 0, 1, b"abc")
    c.put(HEADERS, END_STREAM | END_HEADERS, 1, encoded([(":path", "/x")]))
    c.answer()
    expect(f"a pseudo-field behind the body: {c.heads} {c.resets}", c.resets.get(1) == PROTOCOL)


def cookies():
    c = Connection()
    c.ask(1, changed(":path", "/echo") + [("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")])
    expect(c.bodies, c.answer() == 200 and b"cookie: a=1; b=2; c=3\n" in c.bodies[1])
    c = Connection()
    c.ask(1, changed(":path", "/echo") + [("cookie", f"n{i}=v") for i in range(200)])
    expect(c.bodies, c.answer() == 200 and b"n198=v; n199=v\n" in c.bodies[1])


def too_large():
    answered(GET + [(f"x{i}", "z" * 1000) for i in range(17)], 431)
    answered(GET + [(f"x{i}", "") for i in range(100)], 431)
    answered(GET + [(f"x{i}", "") for i in range(300)], 431)
    answered(changed(":path", "/" + "z" * 9000), 414)


def early():
    """RFC 9113 8.1: an answer before the request's end; the rest of it is not wanted."""
    c = Connection()
    c.ask(1, changed(":method", "POST") + [("expect", "nonsense")], END_HEADERS)
    c.put(DATA, 0, 1, b"abc")
    c.read(lambda: 1 in c.resets)
    expect(f"{c.heads} {c.resets}", c.heads.get(1) == [417] and c.resets.get(1) == NO_ERROR)
    c.put(DATA, END_STREAM, 1, b"def")
    expect("the connection is gone", c.is_alive())


def streams():
    """No more than a hundred at once; the next one is told to come again."""
    c = Connection()
    c.send(b"".join(c.frame(HEADERS, 5, 1 + 2 * i, encoded(changed(":path", f"/h/{i}?sleep=0.5"))) for i in range(101)))
    c.read(lambda: 201 in c.resets)
    expect(f"{c.resets}", c.resets == {201: REFUSED} or c.resets == {201: PROTOCOL})
    c.read(lambda: len(c.ended) == 100)
    expect(f"{len(c.ended)} answers, {c.resets}", len(c.ended) == 100 and len(c.heads) == 100)


def flood(what, data, times, codes=(CALM,)):
    c = Connection()
    c.read(lambda: False, 0.05)
    for _ in range(times):
        if c.is_closed:
            break
        c.send(data)
    c.read(lambda: False, 3)
    expect(f"{what}: {c.goaway}, {'closed' if c.is_closed else 'open'}", c.is_closed and c.goaway in (*codes, None))


def floods():
    f = Connection.frame
    flood("PING", f(PING, 0, 0, b"x" * 8) * 100, 20)
    flood("SETTINGS", f(SETTINGS, 0, 0) * 100, 20)
    flood("PRIORITY", f(PRIORITY, 0, 1, b"\0\0\0\3\0") * 100, 20)
    c = Connection()
    c.read(lambda: False, 0.05)
    c.put(HEADERS, 0, 1, encoded(GET))
    for i in range(20):
        c.put(CONTINUATION, 0, 1, encoded([("x", "y")]))
    c.read(lambda: False, 3)
    expect(f"CONTINUATION: {c.goaway} {c.is_closed}", c.is_closed and not c.heads)
    c = Connection()
    post(c, 1)
    c.send(f(DATA, 0, 1) * 2000)
    c.read(lambda: False, 3)
    expect(f"empty DATA: {c.goaway} {c.is_closed}", c.is_closed)


def rapid_reset():
    """CVE-2023-44487, and the server made to reset as often (CVE-2025-8671)."""
    f = Connection.frame
    for what, codes, each in (
        ("reset", (CALM, None), lambda i: f(HEADERS, 5, i, encoded(changed(":path", f"/h/r{i}"))) + f(RST, 0, i, b"\0\0\0\x08")),
        ("window of 0", (CALM, PROTOCOL, None), lambda i: f(HEADERS, 5, i, encoded(changed(":path", f"/h/r{i}"))) + f(WINDOW, 0, i, b"\0\0\0\0")),
        ("malformed", (CALM, PROTOCOL, None), lambda i: f(HEADERS, 5, i, encoded(GET + [("X", "y")]))),
    ):
        c = Connection()
        c.read(lambda: False, 0.05)
        for i in range(1, 4001, 100):
            if c.is_closed:
                break
            c.send(b"".join(each(n) for n in range(i, i + 100, 2)))
        c.read(lambda: False, 3)
        expect(f"{what}: {c.goaway} {c.is_closed}", c.is_closed and c.goaway in codes)


def windows():
    """RFC 9113 6.9: no byte more than the client's windows allow, of one stream and of all."""
    c = Connection(settings=struct.pack(">HI", 4, 1000), window=0)
    c.ask(1, changed(":path", "/h/window?size=300000"))
    c.ask(3, changed(":path", "/h/window?size=300000"))
    c.read(lambda: False, 0.5)
    expect(len(c.bodies[1]), len(c.bodies[1]) == 1000 and len(c.bodies[3]) == 1000)
    c.put(WINDOW, 0, 1, struct.pack(">I", 500))
    c.read(lambda: False, 0.3)
    expect(len(c.bodies[1]), len(c.bodies[1]) == 1500 and len(c.bodies[3]) == 1000)
    c.put(WINDOW, 0, 1, struct.pack(">I", 1000000))
    c.read(lambda: False, 0.3)
    expect(len(c.bodies[1]), len(c.bodies[1]) == 64535 and len(c.bodies[3]) == 1000)
    c.put(WINDOW, 0, 0, struct.pack(">I", 1000000))
    c.read(lambda: 1 in c.ended)
    expect(len(c.bodies[1]), len(c.bodies[1]) == 300000 and c.is_alive())


def upload_window():
    """A backend that takes nothing: the client may send no more than the stream's window and its buffer."""
    c = Connection()
    c.ask(1, changed(":method", "POST")[:3] + [(":path", "/h/x?sleep=3")], END_HEADERS)
    c.put(DATA, 0, 1, b"x" * 16384)
    c.read(lambda: False, 0.3)
    for _ in range(200):
        c.put(DATA, 0, 1, b"x" * 16384)
    c.read(lambda: c.goaway is not None or 1 in c.resets, 3)
    expect(f"{c.goaway} {c.resets}", c.goaway == FLOW or c.resets.get(1) == FLOW)


def slow_head():
    c = Connection()
    c.read(lambda: False, 0.1)
    begin = time.monotonic()
    c.put(HEADERS, END_STREAM, 1, encoded(GET))
    c.read(lambda: False, 9)
    expect(f"{time.monotonic() - begin:.1f} s", c.is_closed and 3.5 < time.monotonic() - begin < 8)


def slow_begin():
    begin = time.monotonic()
    c = Connection(preface=None)
    c.send(PREFACE[:10])
    c.read(lambda: False, 9)
    expect(f"{time.monotonic() - begin:.1f} s", c.is_closed and 3.5 < time.monotonic() - begin < 8)


def slow_body():
    c = Connection()
    post(c, 1, ("content-length", "100000"))
    c.put(DATA, 0, 1, b"x" * 100)
    c.read(lambda: 1 in c.resets, 12)
    expect(f"{c.resets}", c.resets.get(1) == CANCEL and c.is_alive())


def slow_reader():
    """Takes nothing of one answer for 10 s: its stream is reset, and the others go on."""
    c = Connection(settings=struct.pack(">HI", 4, 0), window=0)
    c.ask(1, changed(":path", "/h/window?size=300000"))
    c.read(lambda: 1 in c.heads)
    c.read(lambda: 1 in c.resets, 13)
    expect(f"{c.resets}", c.resets.get(1) == CANCEL)
    c.put(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535))
    expect("the connection is gone", c.is_alive())


def gate():
    """A page that is still being fetched: its begin is here before its end is there."""
    c = Connection()
    c.ask(1, changed(":path", "/gate"))
    c.read(lambda: c.bodies.get(1) == b"first")
    expect(f"{c.bodies}", c.bodies.get(1) == b"first")
    c.ask(3, changed(":path", "/gate"))
    c.read(lambda: c.bodies.get(3) == b"first")
    c.ask(5, changed(":path", "/open"))
    c.read(lambda: {1, 3, 5} <= c.ended)
    expect(f"{c.bodies}", c.bodies[1] == c.bodies[3] == b"firstother")


def broken():
    """A backend that lies: the stream is reset, not ended, and the others go on."""
    for kind in ("short", "chunk", "halfchunk"):
        c, stream = try_stream(lambda c, stream: c.ask(stream, changed(":path", f"/liar/{kind}")))
        expect(f"{kind}: {c.heads} {c.resets} {c.ended}", stream in c.resets and stream not in c.ended)
    for kind in ("both", "bare", "nothing", "words", "continues", "hints"):
        answered(changed(":path", f"/liar/{kind}"), 502)


def drain():
    """GOAWAY comes while an answer is under way, which still comes whole, as do those on their way."""
    c = Connection()
    c.ask(1, changed(":path", "/h/drain?sleep=1.5"))
    print("asked", flush=True)
    sys.stdin.readline()
    c.ask(3, changed(":path", "/h/drain3"))
    c.read(lambda: c.goaway is not None)
    expect(f"first {c.goaway} {c.last}", c.goaway == NO_ERROR and c.last == 2**31 - 1)
    c.ask(5, changed(":path", "/h/drain5"))
    c.read(lambda: {1, 3, 5} <= c.ended)
    expect(f"{c.heads} {c.resets}", c.heads == {1: [200], 3: [200], 5: [200]})
    c.read(lambda: False, 5)
    expect(f"last {c.last} {c.is_closed}", c.is_closed and c.last == 5 and c.goaway == NO_ERROR)


for case in sys.argv[3:]:
    globals()[case]()
    if shared:
        answered(GET, 200)
