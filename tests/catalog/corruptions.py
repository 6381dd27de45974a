"""Catalogs that are wrong, each in one way: the text, the line that is wrong, and the reason.

`GOOD` is sound, and agrees with the catalog that comes with the package.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from dragoman.catalog import shipped
from dragoman.catalog.check import MOST_BYTES, MOST_ENDPOINTS, MOST_MODELS

GOOD: Final = """\
{"models": [
 {"id": "acme/one", "name": "Acme: One", "created": 1700000000, "endpoints": [
  {"provider": "groq",
   "upstream": "acme-one",
   "context": 128000,
   "max_output": 16384,
   "price": {
    "prompt": "0.0000025",
    "completion": "0.00001",
    "tiers": [
     {"above": 64000, "prompt": "0.000005"},
     {"above": 96000, "prompt": "0.000006"}]},
   "inputs": ["text", "image"],
   "supports": ["max_tokens", "tools"]},
  {"provider": "groq", "upstream": "acme-one-fast", "variant": "fast"}
 ]},
 {"id": "acme/two",
  "name": "Acme: Two",
  "description": "The second.",
  "knowledge": "2025-06",
  "created": 1750000000,
  "endpoints": [
   {"provider": "deepinfra",
    "upstream": "Acme/Two",
    "upcoming": [
     {"from": "2031-01-01", "price": {"prompt": "0.000001", "completion": "0.000002"}},
     {"from": "2032-01-01"}]},
   {"provider": "groq", "upstream": "acme-two-free",
    "free": true}
  ]}
],
"renamed": {
 "acme/zero":
  {"to": "acme/one",
   "dated": "2026-05",
   "reason": "retired by Acme"},
 "acme/null": {"to": "acme/zero", "dated": "2026-05-01", "reason": "as above"}
}}
"""
ROW: Final = '{"provider": "groq", "upstream": "m%d"}'


class Corruption(Struct, frozen=True):
    """A catalog to be refused. `line` is where, `reason` a part of what is said."""

    name: str
    make: Callable[[], bytes]
    line: int
    reason: str


def line_of(text: str) -> int:
    """Return the line of `GOOD` that holds `text`."""
    return GOOD.count("\n", 0, GOOD.index(text)) + 1


def swap(name: str, old: str, new: str, reason: str, *, line: int = 0) -> Corruption:
    """Return `GOOD` with `old` replaced by `new`, once; the line is that of `old`."""
    text = GOOD.replace(old, new, 1).encode()
    return Corruption(name, lambda: text, line or line_of(old), reason)


def whole(name: str, text: bytes, line: int, reason: str) -> Corruption:
    return Corruption(name, lambda: text, line, reason)


def many_endpoints() -> bytes:
    rows = ",\n".join(ROW % number for number in range(MOST_ENDPOINTS + 1))
    return f'[{{"id": "a/b", "name": "B", "created": 1, "endpoints": [\n{rows}]}}]'.encode()


def many_models() -> bytes:
    model = '{"id": "a/b%d", "name": "B", "created": 1, "endpoints": []}'
    return ("[\n" + ",\n".join(model % number for number in range(MOST_MODELS + 1)) + "]").encode()


def all_times_ten() -> bytes:
    """Return the shipped catalog with every price ten times what it is."""
    rows = json.loads((shipped.DATA / "models.json").read_bytes())
    for price in (each["price"] for row in rows for each in row["endpoints"] if each.get("price")):
        price["prompt"] = f"{float(price['prompt']) * 10:.12f}"
    return json.dumps(rows).encode()


def _prices() -> Iterator[Corruption]:
    prompt = '"prompt": "0.0000025"'
    yield swap("negative", prompt, '"prompt": "-0.0000025"', "is not a price")
    yield swap("negative number", prompt, '"prompt": -2.5e-6', "is not a price")
    yield swap("NaN as text", prompt, '"prompt": "NaN"', "is not a price")
    yield swap("NaN", prompt, '"prompt": NaN', "malformed")
    yield swap("Infinity", prompt, '"prompt": Infinity', "malformed")
    yield swap("infinite text", prompt, '"prompt": "1e999"', "is not a price")
    yield swap("per million", prompt, '"prompt": "2.5"', "absurd: prices are per token")
    yield swap("cents", '"completion": "0.00001"', '"completion": 0.011', "absurd")
    yield swap("too fine", prompt, '"prompt": "0.0000000000000025"', "finer than")
    yield swap("price of an image", prompt, f'"image": 400, {prompt}', "400.00 USD apiece")
    yield swap("price in words", prompt, '"prompt": "cheap"', "is not a price")
    yield swap("price as list", prompt, '"prompt": [1]', "got `array`")
    yield swap("price as truth", prompt, '"prompt": true', "got `bool`")
    yield swap("half a price", prompt + ",", "", "missing required field `prompt`", line=7)
    yield swap("odd key", prompt, f'"promtp": 1, {prompt}', "unknown field `promtp`", line=7)
    yield swap("tiers fall", '"above": 96000', '"above": 32000', "above the one before", line=10)
    yield swap("dear tier", '"prompt": "0.000006"', '"prompt": 6', "per token")
    yield swap("empty tier", ', "prompt": "0.000006"', "", "names no price")
    yield swap("announced", '"from": "2032', '"from": "2030', "begin after", line=25)
    yield swap("announced absurdly", '"prompt": "0.000001"', '"prompt": "1"', "per token")
    yield swap("no date", '"2032-01-01"', '"2032-02-30"', "RFC3339")
    yield swap("free at a price", '"free": true', '"free": true, "price": {"prompt": 0, '
               '"completion": 0}', "is told of an endpoint that is free")  # fmt: skip


def _endpoints() -> Iterator[Corruption]:
    yield swap("context 0", '"context": 128000', '"context": 0', "not a number of tokens")
    yield swap("context below 0", '"context": 128000', '"context": -1', "not a number of tokens")
    yield swap("huge context", '"context": 128000', f'"context": {10**40}', "not a number of")
    yield swap("context as text", '"context": 128000', '"context": "128k"', "got `str`")
    yield swap("fraction", '"context": 128000', '"context": 128000.5', "got `float`")
    yield swap("output over context", '"max_output": 16384', '"max_output": 256000', "more than")
    yield swap("no inputs", '"inputs": ["text", "image"]', '"inputs": []', "is empty")
    yield swap("no outputs", '"inputs": [', '"outputs": [], "inputs": [', "is empty")
    yield swap("odd region", '"inputs": [', '"region": " eu", "inputs": [', "is empty, or begins")
    yield swap("odd modality", '"image"]', '"smell"]', "Invalid enum value 'smell'")
    yield swap("odd parameter", '"tools"]', '"tolls"]', "'tolls' is no parameter")
    yield swap("unknown provider", '"deepinfra"', '"nobody"', "'nobody' is no provider")
    yield swap("dialect", '"provider": "deepinfra"', '"dialect": "soap", "provider": "deepinfra"',
               "Invalid enum value 'soap'")  # fmt: skip
    yield swap("hosts", '"renamed"', '"providers": {"evil": {"dialect": "soap"}}, "renamed"',
               "hosts do not come")  # fmt: skip
    yield swap("no upstream", '"upstream": "Acme/Two",', "", "missing required field", line=23)
    yield swap("empty upstream", '"upstream": "acme-one",', '"upstream": " ",', "is empty")


def _models() -> Iterator[Corruption]:
    one = '"id": "acme/one"'
    yield swap("twice a model", '"id": "acme/two"', '"id": "ACME/One"', "is there twice")
    yield swap("twice upstream", '"acme-one-fast"', '"acme-one"', "is there twice, first as acme/")
    yield swap("twice a tag", ', "variant": "fast"', "", "does not tell it from")
    yield swap("odd variant", '"variant": "fast"', '"variant": "Fast!"', "lower-case")
    yield swap("bare id", one, '"id": "one"', "is not a model's id")
    yield swap("id with a variant", one, '"id": "acme/one:nitro"', "without a variant")
    yield swap("markup in an id", one, '"id": "acme/<script>"', "is not a model's id")
    yield swap("control character", '"Acme: One"', r'"Acme\u001b[2J: One"', "cannot be printed")
    yield swap("bare newline", '"Acme: One"', '"Acme:\nOne"', "malformed")
    yield swap("empty name", '"Acme: One"', '""', "is empty")
    yield swap("endless name", '"Acme: One"', f'"{"x" * 201}"', "longer than 200")
    yield swap("endless text", '"The second."', f'"{"x" * 20_001}"', "more than 20,000")
    yield swap("odd knowledge", '"knowledge": "2025-06"', r'"knowledge": "\u0007"', "printed")
    yield swap("odd effort", '"knowledge"', '"efforts": ["high!"], "knowledge"', "is no effort")
    yield swap("created in ms", "1700000000", "1700000000000000", "Unix time")
    yield swap("created before", "1700000000", "-1", "Unix time")
    yield swap("wrong type", '"created": 1700000000', '"created": "now"', "got `str`")


def _names() -> Iterator[Corruption]:
    yield swap("circle", '"to": "acme/one"', '"to": "acme/null"', "goes round in circles")
    yield swap("itself", '"to": "acme/one"', '"to": "acme/zero"', "goes round in circles")
    yield swap("nowhere", '"to": "acme/one"', '"to": "acme/nine"', "which is no model")
    yield swap("no name", '"acme/null":', '"null":', "is not a model's id")
    yield swap("name of a model", '"acme/null":', '"acme/two":', "is the id of a model")
    yield swap("odd day", '"dated": "2026-05",', '"dated": "May",', "is not YYYY-MM")
    yield swap("no reason", '"retired by Acme"', '""', "is empty")


def _wholes() -> Iterator[Corruption]:
    middle = GOOD.index('"deepinfra"')
    yield whole("truncated", GOOD[:middle].encode(), GOOD[:middle].count("\n") + 1, "truncated")
    yield whole("nothing", b"", 1, "truncated")
    yield whole("blanks", b"\n\n\n", 4, "truncated")
    yield whole("empty list", b"[]", 1, "holds no model")
    yield whole("a number", b"7", 1, "got `int`")
    yield whole("a web page", b"\n<!doctype html><title>Not here</title>", 2, "malformed")
    yield whole("zipped", b"\x1f\x8b\x08\x00\x00", 1, "is not UTF-8")
    yield whole("Latin-1", GOOD.replace("Acme: Two", "Acmé").encode("latin-1"), 18, "not UTF-8")
    yield whole("a mark of order", "\ufeff".encode() + GOOD.encode(), 1, "malformed")
    yield whole("two of them", (GOOD + "[]").encode(), GOOD.count("\n") + 1, "trailing")
    yield whole("deep", b'[{"id":' + b"[" * 100_000, 1, "got `array`")
    yield whole("deep in what is not read", b'{"x":' + b"[" * 100_000, 1, "unknown field")
    yield whole("nobody serves", b'[{"id": "a/b", "name": "B", "created": 1,\n"endpoints": []}]', 2,
                "nobody serves")  # fmt: skip
    yield whole("too long", GOOD.encode() + b" " * MOST_BYTES, 1, "is longer than")
    yield Corruption("many endpoints", many_endpoints, MOST_ENDPOINTS + 2, "more than 100,000")
    yield Corruption("many models", many_models, MOST_MODELS + 2, "more than 20,000")
    yield Corruption("a unit gone wrong", all_times_ten, 1, "changed more than fivefold")


CORRUPTIONS: Final = (*_prices(), *_endpoints(), *_models(), *_names(), *_wholes())
NAMES: Final = tuple(re.sub(r"\W+", "-", each.name) for each in CORRUPTIONS)
