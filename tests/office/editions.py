"""Catalogs that a refresh may bring, and a folder to keep them in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from dragoman.catalog.options import Declared
from dragoman.core.clock import Clock
from dragoman.office.archive import Archive
from dragoman.office.shelf import Shelf
from tests.access.fakes import HandClock

CHEAP = {"prompt": "0.000001", "completion": "0.000002"}
DEAR = {"prompt": "0.000010", "completion": "0.000020"}
URL = "https://catalog.example/models.json"


def text(price: Any = CHEAP, name: str = "acme/one", **more: Any) -> bytes:
    """Return a sound catalog of one model."""
    row = {"provider": "groq", "upstream": name, "price": price, **more}
    return msgspec.json.encode([{"id": name, "name": name, "created": 1, "endpoints": [row]}])


def clock_of(hand: HandClock) -> Clock:
    return Clock(wall=hand, monotonic=hand)


def shelf_of(archive: Archive, hand: HandClock, declared: Declared | None = None) -> Shelf:
    return Shelf(declared or Declared(), {"GROQ_API_KEY": "gsk"}, archive, clock_of(hand))


def price_of(shelf: Shelf, model: str = "acme/one") -> tuple[int, ...]:
    """Return the prices of the prompt at the endpoints of a model, in USD per billion."""
    found = shelf.catalog().models.get(model)
    prices: Sequence[Any] = [each.price for each in found.endpoints] if found else []
    return tuple(price.prompt // 1000 for price in prices)


def write(where: Path, content: bytes) -> str:
    where.write_bytes(content)
    return str(where)
