"""Members that a host's row of the catalog has sent along with every request (`adds`)."""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Quirks

_value = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.Encoder().encode


def additions(quirks: Quirks) -> Iterator[tuple[str, Raw]]:
    """Yield name and value of each: JSON as it stands, anything else as a string."""
    for name, source in quirks.adds.items():
        try:
            yield name, _value(source)
        except msgspec.DecodeError:
            yield name, Raw(_encode(source))
