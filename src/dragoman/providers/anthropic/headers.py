"""The version and the betas of a request: headers in which Anthropic's API differs from itself.

Sources: docs, "Versions" and "Beta headers". 2026-10-21 refuses what a call in the hub's words may
hold (temperature and the like), 2023-06-01 takes it all: so translated requests are of 2023-06-01.
A client that speaks the dialect said which version it means.
"""

import re
from collections.abc import Iterable, Mapping

from dragoman.catalog.types import Provider
from dragoman.core.notes import Change, Note
from dragoman.wire.hub import Native

Headers = tuple[tuple[str, str], ...]

VERSION = "anthropic-version"
BETA = "anthropic-beta"
OPENROUTER_BETA = "x-anthropic-beta"
"""What OpenRouter calls the header of betas (OpenRouter docs, "Provider-specific headers")."""

DEFAULT_VERSION = "2023-06-01"
FILES_BETA = "files-api-2025-04-14"

_DATED = re.compile(r"[a-z0-9][a-z0-9-]{0,80}-20\d\d-\d\d-\d\d")
_VERSION = re.compile(r"20\d\d-\d\d-\d\d")


def written(provider: Provider, native: Native | None, needed: Iterable[str] = ()) -> Headers:
    """Return version and betas for a host: the client's, the host's own, and those `needed`."""
    told = native.headers if native is not None else ()
    version = next((v for name, v in told if name == VERSION and _VERSION.fullmatch(v)), None)
    betas: dict[str, None] = {}
    for name, value in (*told, *_lower(provider.headers).items()):
        if name in {BETA, OPENROUTER_BETA}:
            betas.update(dict.fromkeys(_listed(value)))
    betas.update(dict.fromkeys(needed))
    own = _lower(provider.headers).get(VERSION, DEFAULT_VERSION)
    headers: Headers = ((VERSION, version or own),)
    return (*headers, (BETA, ",".join(betas))) if betas else headers


def others(provider: Provider) -> Headers:
    """Return the headers of a host's row that are neither version nor betas."""
    return tuple(
        (name, value)
        for name, value in provider.headers.items()
        if name.lower() not in {VERSION, BETA, OPENROUTER_BETA}
    )


def odd_betas(provider: Provider, native: Native | None) -> tuple[Note, ...]:
    """Return a note for each beta of a client's that cannot be one."""
    if native is None:
        return ()
    said = ",".join(v for name, v in native.headers if name in {BETA, OPENROUTER_BETA})
    return tuple(_note(each.strip(), provider) for each in said.split(",") if _is_odd(each.strip()))


def only(headers: Headers, known: frozenset[str], provider: Provider) -> tuple[Headers, list[Note]]:
    """Return headers with those betas only that a host knows, and notes on the others."""
    kept: Headers = ()
    notes: list[Note] = []
    for name, value in headers:
        if name != BETA:
            kept = (*kept, (name, value))
            continue
        betas = _listed(value)
        notes += [_note(each, provider) for each in betas if each not in known]
        if passed := ",".join(each for each in betas if each in known):
            kept = (*kept, (BETA, passed))
    return kept, notes


def _note(beta: str, provider: Provider) -> Note:
    detail = f"{beta[:80]!r} is no beta that this provider knows"
    return Note(Change.DROPPED, BETA, detail, provider.slug)


def _is_odd(beta: str) -> bool:
    return bool(beta) and _DATED.fullmatch(beta) is None


def _listed(value: str) -> list[str]:
    """Return the betas in a header, each in its form: a name and a date."""
    return [each for part in value.split(",") if _DATED.fullmatch(each := part.strip())]


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
