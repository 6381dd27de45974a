"""What an answer cites, as the hub's annotations, and how probable its tokens were.

Gemini counts where a citation stands in bytes, the hub in characters. The two are the same
where all text is ASCII; elsewhere both ends are 0, as no text is kept to count in.
Source: ai.google.dev/api/generate-content, `GroundingMetadata`, `CitationMetadata`,
`LogprobsResult`; OpenRouter, web-search, "url_citation".
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.gemini.events import Candidate
from dragoman.providers.gemini.values import given


class _Page(Struct, gc=False):
    uri: str = ""
    title: str = ""


class _Found(Struct, gc=False):
    web: _Page | None = None


class _Segment(Struct, rename="camel", gc=False):
    start_index: int = 0
    end_index: int = 0
    text: str | None = None


class _Support(Struct, rename="camel", gc=False):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] = []


class _Grounding(Struct, rename="camel", gc=False):
    grounding_chunks: list[_Found] | None = None
    grounding_supports: list[_Support] | None = None


class _Citation(Struct, rename="camel", gc=False):
    uri: str | None = None
    title: str | None = None
    start_index: int = 0
    end_index: int = 0


class _Citations(Struct, gc=False):
    citations: list[_Citation] | None = None


class _Token(Struct, rename="camel", gc=False):
    token: str = ""
    log_probability: float = 0.0


class _Top(Struct, gc=False):
    candidates: list[_Token] | None = None


class _Logprobs(Struct, rename="camel", gc=False):
    chosen_candidates: list[_Token] | None = None
    top_candidates: list[_Top] | None = None


_grounding = msgspec.json.Decoder(_Grounding).decode
_citations = msgspec.json.Decoder(_Citations).decode
_logprobs = msgspec.json.Decoder(_Logprobs).decode
_encode = msgspec.json.Encoder().encode


def annotations(candidate: Candidate, *, plain: bool) -> Raw | None:
    """Return the annotations, None for none. `plain`: all text is ASCII. Raises ValueError."""
    rows: list[dict[str, Any]] = []
    if given(candidate.grounding_metadata):
        rows += _grounded(_grounding(candidate.grounding_metadata), plain=plain)
    if given(candidate.citation_metadata):
        for each in _citations(candidate.citation_metadata).citations or ():
            if each.uri:
                segment = _Segment(each.start_index, each.end_index)
                rows.append(_row(each.uri, each.title or "", segment, plain=plain))
    return Raw(_encode(rows)) if rows else None


def logprobs(candidate: Candidate) -> Raw | None:
    """Return the probabilities in the hub's form, None for none. Raises ValueError."""
    if not given(candidate.logprobs_result):
        return None
    result = _logprobs(candidate.logprobs_result)
    tops = result.top_candidates or []
    content = []
    for place, chosen in enumerate(result.chosen_candidates or ()):
        top = tops[place].candidates or [] if place < len(tops) else []
        content.append({**_token(chosen), "top_logprobs": [_token(each) for each in top]})
    return Raw(_encode({"content": content}))


def _grounded(grounding: _Grounding, *, plain: bool) -> Iterator[dict[str, Any]]:
    pages = [found.web for found in grounding.grounding_chunks or ()]
    supports = grounding.grounding_supports or ()
    for support in supports:
        for index in support.grounding_chunk_indices:
            page = pages[index] if 0 <= index < len(pages) else None
            if page is not None and page.uri:
                yield _row(page.uri, page.title, support.segment or _Segment(), plain=plain)
    if not supports:
        for page in pages:
            if page is not None and page.uri:
                yield _row(page.uri, page.title, _Segment(), plain=plain)


def _row(url: str, title: str, segment: _Segment, *, plain: bool) -> dict[str, Any]:
    citation: dict[str, Any] = {
        "url": url,
        "title": title,
        "start_index": segment.start_index if plain else 0,
        "end_index": segment.end_index if plain else 0,
    }
    if segment.text is not None:
        citation["content"] = segment.text
    return {"type": "url_citation", "url_citation": citation}


def _token(token: _Token) -> dict[str, Any]:
    return {"token": token.token, "logprob": token.log_probability, "bytes": None}
