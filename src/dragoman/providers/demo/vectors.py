"""Embeddings and relevance out of nothing but the letters: what the demo's models reckon.

A text becomes a vector by feature hashing: each of its words, and each three letters in a row,
counts in a place that a checksum gives, up or down by another. So texts that share words lie close
together, and the same text is the same vector everywhere. Pure.
"""

import re
from collections.abc import Iterator
from math import sqrt
from zlib import crc32

DIMENSIONS = 256
MOST_DIMENSIONS = 4096

_WORD = re.compile(r"\w+")
_WEIGHT_OF_WORD = 3.0


def embed(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text: so many numbers, of length 1 together."""
    vector = [0.0] * dimensions
    for feature, weight in _features(text.lower()):
        hashed = crc32(feature.encode("utf-8", "replace"))
        vector[hashed % dimensions] += -weight if hashed >> 31 else weight
    length = sqrt(sum(each * each for each in vector))
    if not length:
        return [1.0, *vector[1:]]
    return [each / length for each in vector]


def relevance(query: list[float], document: str) -> float:
    """Return how close a document is to the vector of a query, between 0 and 1."""
    pairs = zip(query, embed(document, len(query)), strict=True)
    return max(0.0, min(1.0, sum(a * b for a, b in pairs)))


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text):
        yield word, _WEIGHT_OF_WORD
        padded = f"<{word}>"
        for place in range(len(padded) - 2):
            yield padded[place : place + 3], 1.0
