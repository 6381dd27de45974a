"""Writing the numbers and strings of a JSON document, out of the words of a question."""

from collections.abc import Iterator
from functools import partial
from math import ceil, floor, inf
from random import Random

from dragoman.providers.demo.check import Book, fits_number
from dragoman.providers.demo.keywords import Keywords, Number, Unsatisfiable
from dragoman.providers.demo.pattern import writer
from dragoman.providers.demo.text import Words

_MOST_CHARACTERS = 4096
_STEPS_PER_REPETITION = 3
_USUAL_WIDTH = 100

_FORMATS = {
    "date-time": "2025-0{n}-1{n}T0{n}:30:00Z",
    "date": "2025-0{n}-1{n}",
    "time": "0{n}:30:00Z",
    "duration": "PT{n}H",
    "email": "traveller{n}@example.com",
    "idn-email": "traveller{n}@example.com",
    "hostname": "host{n}.example.com",
    "idn-hostname": "host{n}.example.com",
    "ipv4": "192.0.2.{n}",
    "ipv6": "2001:db8::{n}",
    "uri": "https://example.com/{n}",
    "uri-reference": "/{n}",
    "iri": "https://example.com/{n}",
    "uuid": "6f1ed00{n}-5ca1-4ab1-8e0d-0123456789ab",
    "json-pointer": "/{n}",
    "regex": "^{n}$",
}
"""Values of the formats that JSON Schema defines; `{n}` is a digit from 1 to 9."""


def number(rules: Keywords, words: Words, rng: Random, *, whole: bool) -> Number:
    """Return a number within the bounds, one from the question if one fits."""
    try:
        low, high = _range(rules)
        step = rules.multiple_of or (1 if whole else 0.01)
        first = ceil(low / step)
        offset = rng.randint(0, max(0, floor(high / step) - first))
    except OverflowError:
        raise Unsatisfiable("the bounds are beyond reckoning") from None
    steps = [(first + k) * step for k in (offset, 0, 1, 2, 3)]
    tidy = [] if rules.multiple_of else [round(each, 2) for each in steps]
    for candidate in (*words.numbers, *tidy, *steps, (low + high) / 2, low, high):
        value = int(candidate) if float(candidate).is_integer() else candidate
        if (isinstance(value, int) or not whole) and fits_number(value, rules):
            return value
    raise Unsatisfiable("no number lies within the bounds")


def text(rules: Keywords, names: Iterator[str], rng: Random, book: Book) -> str:
    """Return a string of the right length, format and pattern, out of `names` if it is free."""
    if rules.min_length > _MOST_CHARACTERS:
        raise Unsatisfiable("the string would be too long")
    if rules.pattern is not None:
        return _by_pattern(rules, rng, book)
    if rules.format in _FORMATS:
        found = _FORMATS[rules.format].replace("{n}", str(rng.randint(1, 9)))
    else:
        found = _by_words(rules, names)
    if not _fits(found, rules):
        raise Unsatisfiable("no string of this format has this length")
    return found


def _range(rules: Keywords) -> tuple[Number, Number]:
    """Return a stretch of the permitted range, near 1 where that is possible."""
    lows = [each for each in (rules.minimum, rules.exclusive_minimum) if each is not None]
    highs = [each for each in (rules.maximum, rules.exclusive_maximum) if each is not None]
    low, high = max(lows, default=-inf), min(highs, default=inf)
    width = _USUAL_WIDTH * (rules.multiple_of or 1)
    start = min(max(1, low), high)
    if start == high:
        return max(low, high - width), high
    return start, min(high, start + width)


def _fits(found: str, rules: Keywords) -> bool:
    most = rules.max_length
    return len(found) >= rules.min_length and (most is None or len(found) <= most)


def _by_pattern(rules: Keywords, rng: Random, book: Book) -> str:
    write = writer(rules.pattern or "", rng, partial(book.spend, _STEPS_PER_REPETITION))
    for stretch in (2, 1, 0, *range(3, max(rules.min_length, 3) + 1)):
        found = write(stretch)
        if _fits(found, rules):
            return found
    raise Unsatisfiable("no string of this pattern has this length")


def _by_words(rules: Keywords, names: Iterator[str]) -> str:
    found = next(names)
    while len(found) < rules.min_length:
        found += " " + next(names)
    return found if rules.max_length is None else found[: rules.max_length]
