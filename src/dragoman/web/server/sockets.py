"""What the system knows of a connection, and nobody else."""

import asyncio
import socket
import struct
from typing import Final

_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)
_LAST_DATA_RECEIVED: Final = struct.Struct("=52xI")
"""`tcpi_last_data_recv` of `struct tcp_info`, in ms (linux/tcp.h)."""


def waited_s(transport: asyncio.BaseTransport) -> float:
    """Return how long ago the client sent something last, 0 where the system does not say.

    A new connection may have waited to be taken in, with its request, and only the system knows.
    """
    place = transport.get_extra_info("socket")
    if place is None or _TCP_INFO is None or place.family not in {socket.AF_INET, socket.AF_INET6}:
        return 0.0
    info = place.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _LAST_DATA_RECEIVED.size)
    if len(info) < _LAST_DATA_RECEIVED.size:
        return 0.0
    milliseconds: int = _LAST_DATA_RECEIVED.unpack(info)[0]
    return milliseconds / 1000
