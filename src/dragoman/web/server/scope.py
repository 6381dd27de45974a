"""From a head to what an ASGI application is told of it (HTTP & WebSocket specification 2.3)."""

from dragoman.web.server.floor import Floor, Message
from dragoman.web.server.head import Head

ASGI = {"version": "3.0", "spec_version": "2.3"}

Address = tuple[str, int]


def scope_of(head: Head, floor: Floor, peer: Address) -> Message:
    """Return the scope of a request that came from `peer`, or from whom it speaks for."""
    line = head.line
    client, scheme = peer, floor.scheme
    if floor.proxies.trusts(peer[0]):
        client, scheme = _forwarded(head, floor, peer)
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1" if line.minor else "1.0",
        "method": line.method,
        "scheme": scheme,
        "path": line.target.path,
        "raw_path": line.target.raw_path,
        "query_string": line.target.query,
        "root_path": "",
        "headers": head.pairs,
        "client": client,
        "server": floor.address,
    }


def _forwarded(head: Head, floor: Floor, peer: Address) -> tuple[Address, str]:
    """Return the client and the scheme that a trusted proxy tells of."""
    listed = [value.decode("latin-1") for name, value in head.pairs if name == b"x-forwarded-for"]
    client = (floor.proxies.client(",".join(listed), peer[0]), 0) if listed else peer
    told = head.fields.get(b"x-forwarded-proto", b"").lower()
    return client, told.decode() if told in {b"http", b"https"} else floor.scheme
