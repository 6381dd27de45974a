"""The words in names of models: what a host wraps around a name, and which spellings are one.

`accounts/fireworks/models/kimi-k2p6`, `us.anthropic.claude-opus-4-6-v1` and `gpt-oss:120b` are
names with something around them. Which model a name means is told in `identity`. Pure.
"""

import re
from collections.abc import Collection, Iterator
from typing import get_args

from msgspec import Struct

from dragoman.catalog.types import Quantization

QUANTIZATIONS: dict[str, Quantization] = {
    word: word for word in get_args(Quantization) if word != "unknown"
}
"""The words for a precision, by themselves."""

_BEDROCK = re.compile(
    r"(?:(?P<region>us|eu|apac|jp|au|ca|global)\.)?(?P<org>[a-z0-9]+)\."
    r"(?P<slug>.+?)(?:-v1|-v?\d+:\d+)?"
)
_ACCOUNT = re.compile(r"accounts/[^/]+/(?:models|routers)/(?P<slug>[^/]+)")
_APPLICATION = re.compile(r"(?P<org>[^/]+)/[^/]+/models/(?P<slug>[^/]+)")
_POINT = re.compile(r"(?<=\d)p(?=\d)")
_DATE = re.compile(
    r"(?P<slug>.+?)[-@](?P<date>20\d{6}|20\d{2}-\d{2}-\d{2}|(?:0[1-9]|1[0-2])-20\d{2})"
)
_WORD = re.compile(r"(?P<slug>.+)[-_](?P<word>[A-Za-z0-9]+)")
_CLAUDE = re.compile(r"claude-(\d+(?:[._-]\d)?)-([a-z]+)")
_VERSION = re.compile(r"(?<![a-z0-9])v(?=\d)")
_TOKEN = re.compile(r"[a-z]+|\d+")
_FOREIGN = re.compile(r"[^a-z0-9.-]+")


class Shape(Struct, frozen=True):
    """A name without what its host wraps around it. `orgs` are the names before the slug."""

    slug: str
    orgs: tuple[str, ...] = ()
    region: str | None = None
    free: bool = False


class Reduced(Struct, frozen=True):
    """A slug less words at its end, and what those words mean.

    `variant` are the words of speed in the order of the name, `date` is that of a snapshot.
    """

    slug: str
    variant: tuple[str, ...] = ()
    quantization: Quantization = "unknown"
    date: str = ""


def shape(provider: str, name: str) -> Shape:
    """Return a name as `provider`, by its id in the source, has it, without its wrapping."""
    free = name.endswith(":free")
    name = name.removesuffix(":free")
    if provider == "amazon-bedrock" and (found := _BEDROCK.fullmatch(name)):
        return Shape(found["slug"], (found["org"],), found["region"], free)
    name = name.removeprefix("@cf/").removeprefix("hf:").removesuffix("@default")
    name = name.replace("@", "-").replace(":", "-")
    if found := _ACCOUNT.fullmatch(name):
        return Shape(_POINT.sub(".", found["slug"]), free=free)
    if found := _APPLICATION.fullmatch(name):
        return Shape(found["slug"], (found["org"],), free=free)
    *orgs, slug = name.split("/")
    return Shape(slug, tuple(orgs), free=free)


def reductions(slug: str, speeds: Collection[str], wrapping: Collection[str]) -> Iterator[Reduced]:
    """Yield `slug`, then less one word at its end at a time, while words there mean no model.

    These are dates with a year, precisions, `speeds`, and `wrapping`, which says nothing.
    """
    now: Reduced | None = Reduced(slug)
    while now is not None:
        yield now
        now = _shorter(now, speeds, wrapping)


def key(name: str) -> str:
    """Return what all spellings of a name have in common: its letters and numbers, in order.

    A `v` before a version says nothing, and Claude's version may stand before its family.
    """
    lowered = _VERSION.sub("", _CLAUDE.sub(r"claude-\2-\1", name.lower()))
    return "-".join(_TOKEN.findall(lowered))


def squash(name: str) -> str:
    """Return the letters and digits of a name in lower case, and nothing between them."""
    return "".join(_TOKEN.findall(name.lower()))


def plain(name: str) -> str:
    """Return a name as OpenRouter would spell it: lower case, dashes, dots in versions."""
    dotted = re.sub(r"(?<=\d)_(?=\d)", ".", name.lower())
    return _FOREIGN.sub("-", dotted).strip("-.")


def _shorter(now: Reduced, speeds: Collection[str], wrapping: Collection[str]) -> Reduced | None:
    if found := _DATE.fullmatch(now.slug):
        return Reduced(found["slug"], now.variant, now.quantization, found["date"])
    if not (found := _WORD.fullmatch(now.slug)):
        return None
    slug, word = found["slug"], found["word"].lower()
    if word in speeds:
        return Reduced(slug, (word, *now.variant), now.quantization, now.date)
    if word in QUANTIZATIONS:
        return Reduced(slug, now.variant, QUANTIZATIONS[word], now.date)
    return Reduced(slug, now.variant, now.quantization, now.date) if word in wrapping else None
