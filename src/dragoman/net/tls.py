"""TLS towards upstreams: whom we believe, and sessions that are taken up again.

A handshake that resumes a session needs no certificates and no signature (RFC 8446,
2.2): with a usual chain of RSA certificates it takes us two thirds of the time, and the
host less than half. asyncio has no way to name a session, but asks the context to make
each TLS object: so the context names it.
"""

import ssl
from collections import OrderedDict

import certifi

# Sessions are a few kilobytes each.
MOST_SESSIONS = 512

ANEW_S = 300.0
"""How long a session is kept that its host no longer takes up. To read one leaks 6 KB in CPython
3.11, and in 3.12 and 3.13 before they were mended (python/cpython#116810): not each connection may.
"""


class ClientContext(ssl.SSLContext):
    """A verifying context that offers each host the session of its last connection.

    A session is found under the name that its certificate was checked for, and so is
    never offered to, nor taken from, anybody who has not proved to be that name.
    """

    def __init__(self, _: int) -> None:
        self._kept: OrderedDict[str, tuple[ssl.SSLSession, float]] = OrderedDict()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the signature of ssl
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Return a TLS object, as asyncio asks for it."""
        known, _ = self._kept.get(str(server_hostname), (None, 0.0))
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session or known)

    def remember(self, channel: ssl.SSLObject | None, now: float) -> None:
        """Keep the session of a connection, unless the one that is kept is good or new.

        To be called after its first answer: only then have the tickets of TLS 1.3 arrived
        (RFC 8446, 4.6.1). `now` is monotonic.
        """
        if channel is None:
            return
        name = str(channel.server_hostname)
        if name in self._kept:
            self._kept.move_to_end(name)
            if channel.session_reused or now - self._kept[name][1] < ANEW_S:
                return
        if not (session := channel.session):
            return
        self._kept[name] = (session, now)
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_SESSIONS:
            self._kept.popitem(last=False)


def secure_context(ca_file: str | None = None) -> ClientContext:
    """Return a verifying context: the system's roots, certifi's, and those of `ca_file`.

    The system's are those that OpenSSL finds, which `SSL_CERT_FILE` and `SSL_CERT_DIR`
    decide where they are set. Raises OSError for a `ca_file` that cannot be read.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and names
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    context.load_verify_locations(certifi.where())
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
