"""Requests as bytes: those that break the rules, with the status they get, and those that do not.

RFC 9112, and what is known of request smuggling. `gateway.example` and all names below
`many.example` are those of the gateway; bodies are limited to 100,000 bytes, those for
`/api/v1/keys` to 2,048.
"""

import json

HOSTS = ("gateway.example", "*.many.example")
BODY = json.dumps(
    {"model": "demo/parrot", "messages": [{"role": "user", "content": "smuggled"}]}
).encode()
HOST = b"Host: gateway.example\r\n"
CHAT = b"POST /api/v1/chat/completions HTTP/1.1\r\n"


def chat(key: str, *fields: bytes, body: bytes = BODY, length: bool = True) -> bytes:
    head = CHAT + HOST + b"Authorization: Bearer %b\r\n" % key.encode()
    head += b"Content-Length: %d\r\n" % len(body) if length else b""
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def get(target: bytes = b"/healthz", *fields: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"GET " + target + b" " + version + b"\r\n" + HOST + lines + b"\r\n"


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


POST = CHAT + HOST
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"

BROKEN: dict[str, tuple[bytes, int]] = {
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabc", 400),
    "the same length twice": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "a list of lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "a length with a plus": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n{}", 400),
    "a hexadecimal length": (POST + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "a length with an underscore": (POST + b"Content-Length: 1_0\r\n\r\n{}", 400),
    "an empty length": (POST + b"Content-Length: \r\n\r\n{}", 400),
    "an endless length": (POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}", 400),
    "a length in other digits": (POST + b"Content-Length: \xb2\r\n\r\n{}", 400),
    "a length and chunks": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                            + chunked(b"abc"), 400),
    "chunks and a length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
                            + chunked(b"abc"), 400),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked(b"a"), 400),
    "chunks, then identity": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n"
                              + chunked(b"a"), 400),
    "gzip, then chunks": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked(b"a"), 400),
    "chunks twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
                     + chunked(b"a"), 400),
    "chunks behind a control character": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n"
                                          + chunked(b"a"), 400),
    "chunks in HTTP/1.0": (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n"
                           + chunked(b"a"), 400),
    "a chunk of no size": (CHUNKS + b"\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk with 0x": (CHUNKS + b"0x3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk with a sign": (CHUNKS + b"+3\r\nabc\r\n0\r\n\r\n", 400),
    "a chunk with a blank": (CHUNKS + b"3 \r\nabc\r\n0\r\n\r\n", 400),
    "a chunk that is too long": (CHUNKS + b"3\r\nabcd\r\n0\r\n\r\n", 400),
    "a chunk of huge size": (CHUNKS + b"f" * 17 + b"\r\nabc\r\n0\r\n\r\n", 400),
    "chunk lines that end in LF": (CHUNKS + b"3\nabc\n0\n\n", 400),
    "a chunk line with a bare CR": (CHUNKS + b"3;a\rb\r\nabc\r\n0\r\n\r\n", 400),
    "a long chunk extension": (CHUNKS + b"3;" + b"a" * 300 + b"\r\nabc\r\n0\r\n\r\n", 400),
    "a trailer that is none": (CHUNKS + b"0\r\nGET / HTTP/1.1\r\n\r\n", 400),
    "endless trailers": (CHUNKS + b"0\r\n" + b"a: b\r\n" * 2000 + b"\r\n", 431),
    "lines that end in LF": (b"GET /healthz HTTP/1.1\nHost: gateway.example\n\n", 400),
    "one line that ends in LF": (b"GET /healthz HTTP/1.1\r\nHost: gateway.example\nA: b\r\n\r\n",
                                 400),
    "a bare CR in a value": (get(b"/healthz", b"A: b\rc"), 400),
    "a NUL in a value": (get(b"/healthz", b"A: b\x00c"), 400),
    "a DEL in a value": (get(b"/healthz", b"A: b\x7fc"), 400),
    "a folded line": (get(b"/healthz", b"A: b", b" c"), 400),
    "a line folded by a tab": (get(b"/healthz", b"A: b", b"\tc"), 400),
    "a first field that is folded": (b"GET /healthz HTTP/1.1\r\n " + HOST + b"\r\n", 400),
    "a blank before the colon": (POST + b"Content-Length : 3\r\n\r\nabc", 400),
    "a tab before the colon": (POST + b"Transfer-Encoding\t: chunked\r\n\r\n" + chunked(b"a"), 400),
    "a name that is empty": (get(b"/healthz", b": b"), 400),
    "a line without a colon": (get(b"/healthz", b"abc"), 400),
    "a name with an underscore": (get(b"/healthz", b"Content_Length: 3"), 400),
    "a name with a high byte": (get(b"/healthz", b"A\xe9: b"), 400),
    "a high byte in Authorization": (get(b"/healthz", b"Authorization: Bearer \xe9"), 400),
    "two Authorizations": (get(b"/healthz", b"Authorization: a", b"Authorization: b"), 400),
    "two Content-Types": (get(b"/healthz", b"Content-Type: a", b"content-type: b"), 400),
    "two Idempotency-Keys": (get(b"/healthz", b"Idempotency-Key: a", b"Idempotency-Key: b"), 400),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "no Host in HTTP/1.0": (b"GET /healthz HTTP/1.0\r\n\r\n", 400),
    "an empty Host": (b"GET /healthz HTTP/1.1\r\nHost: \r\n\r\n", 400),
    "two Hosts": (get(b"/healthz", b"Host: other.example"), 400),
    "the same Host twice": (get(b"/healthz", b"Host: gateway.example"), 400),
    "a Host with a path": (b"GET /healthz HTTP/1.1\r\nHost: gateway.example/admin?x\r\n\r\n", 400),
    "a Host with a user": (b"GET /healthz HTTP/1.1\r\nHost: a@gateway.example\r\n\r\n", 400),
    "a Host with a fragment": (b"GET /healthz HTTP/1.1\r\nHost: gateway.example#\r\n\r\n", 400),
    "a Host that is not ASCII": ("GET /healthz HTTP/1.1\r\nHost: \u2025\r\n\r\n".encode(), 400),
    "a Host with a word as its port": (b"GET /healthz HTTP/1.1\r\nHost: localhost:x\r\n\r\n", 400),
    "a Host that is not ours": (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 400),
    "a Host that ends like ours": (b"GET /healthz HTTP/1.1\r\nHost: xmany.example\r\n\r\n", 400),
    "a step up": (get(b"/api/v1/../healthz"), 400),
    "an escaped step up": (get(b"/api/v1/%2e%2e/healthz"), 400),
    "a half escaped step up": (get(b"/api/v1/.%2E/healthz"), 400),
    "an escaped slash": (get(b"/api%2fv1/models"), 400),
    "a path escaped twice": (get(b"/api/v1/%252e%252e/healthz"), 400),
    "an escaped NUL": (get(b"/healthz%00"), 400),
    "an escaped line break": (get(b"/healthz%0d%0aA:b"), 400),
    "a double slash": (get(b"//healthz"), 400),
    "a backslash": (get(b"/api\\healthz"), 400),
    "an escaped backslash": (get(b"/api%5chealthz"), 400),
    "an escape of nothing": (get(b"/healthz%zz"), 400),
    "a path that is not UTF-8": (get(b"/healthz%ff"), 400),
    "a fragment": (get(b"/healthz#a"), 400),
    "a high byte in the path": (get(b"/health\xe9"), 400),
    "an authority as the target": (b"CONNECT gateway:80 HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "a target without a slash": (get(b"healthz"), 400),
    "a star for GET": (get(b"*"), 400),
    "another host in the target": (get(b"http://other.example/healthz"), 400),
    "another scheme in the target": (get(b"ftp://gateway.example/healthz"), 400),
    "a URL of 70 KB": (get(b"/" + b"a" * 70_000), 414),
    "a URL of 1 MB": (get(b"/" + b"a" * 1_000_000), 414),
    "a query of 10 KB": (get(b"/healthz?" + b"a" * 10_000), 414),
    "a header of 40 KB": (get(b"/healthz", b"A: " + b"b" * 40_000), 431),
    "101 headers": (get(b"/healthz", *[b"A: b"] * 101), 431),
    "5,000 headers": (get(b"/healthz", *[b"A%d: b" % n for n in range(5000)]), 431),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "HTTP/1.2": (get(version=b"HTTP/1.2"), 505),
    "HTTP/2": (get(version=b"HTTP/2.0"), 505),
    "http/1.1 in small letters": (get(version=b"http/1.1"), 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "the hello of TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500, 400),
    "two blanks in the first line": (b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a tab in the first line": (b"GET\t/healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a blank before the first line": (b" GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "an unknown method": (b"BREW /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "TRACE": (b"TRACE /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "a method in small letters": (b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "a WebSocket": (get(b"/healthz", b"Connection: Upgrade", b"Upgrade: websocket"), 400),
    "an expectation nobody has": (get(b"/healthz", b"Expect: 200-ok"), 417),
    "gzip": (POST + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 415),
    "br": (POST + b"Content-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", 415),
    "zstd": (POST + b"Content-Encoding: zstd\r\nContent-Length: 3\r\n\r\nabc", 415),
    "a body over the limit": (POST + b"Content-Length: 100001\r\n\r\n" + b"x" * 3000, 413),
    "chunks over the limit": (CHUNKS + b"20000\r\n" + b"x" * 100_100, 413),
    "a management body over the limit": (b"POST /api/v1/keys HTTP/1.1\r\n" + HOST
                                         + b"Content-Length: 2049\r\n\r\n" + b"x" * 2049, 413),
}  # fmt: skip

GOOD: dict[str, tuple[bytes, int]] = {
    "an empty line first": (b"\r\n" + get(), 200),
    "the host in the target": (get(b"http://gateway.example/healthz"), 200),
    "blanks around a value": (get(b"/healthz", b"A: \t b \t "), 200),
    "a value that is empty": (get(b"/healthz", b"A:"), 200),
    "a high byte in a value": (get(b"/healthz", b"A: \xe9"), 200),
    "a field that may come twice": (get(b"/healthz", b"Accept: a", b"Accept: b"), 200),
    "a switch to HTTP/2 that is only offered": (
        get(b"/healthz", b"Connection: Upgrade", b"Upgrade: h2c"), 200),
    "a Host with a port": (b"GET /healthz HTTP/1.1\r\nHost: gateway.example:443\r\n\r\n", 200),
    "a Host in capitals": (b"GET /healthz HTTP/1.1\r\nHOST: Gateway.EXAMPLE\r\n\r\n", 200),
    "a Host below one of ours": (b"GET /healthz HTTP/1.1\r\nHost: a.many.example\r\n\r\n", 200),
    "this machine as Host": (b"GET /healthz HTTP/1.1\r\nHost: [::1]:4000\r\n\r\n", 200),
    "an escaped slash in a model's name": (get(b"/api/v1/models/demo%2Fparrot"), 200),
    "an escaped letter": (get(b"/%68ealthz"), 200),
    "a path that leads nowhere": (get(b"/api/v1/nothing"), 404),
    "a star for OPTIONS": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 204),
}  # fmt: skip
