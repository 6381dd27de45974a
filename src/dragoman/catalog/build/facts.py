"""What an entry says of a model, in the catalog's words: sizes, modalities, parameters, status.

What makes no sense becomes unknown, and is told by `doubts`. Prices are told in `prices`. Pure.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from fnmatch import fnmatchcase
from typing import get_args

from dragoman.catalog.build.read import About, Entry, Limit
from dragoman.catalog.build.tables import Parameters
from dragoman.catalog.options import Modality
from dragoman.catalog.shipped import Output, Spoken
from dragoman.catalog.types import Provider, Status

MODALITIES: tuple[Modality, ...] = get_args(Modality)
OUTPUTS: tuple[Output, ...] = get_args(Output)
EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal", "none")
"""OpenRouter's reasoning efforts, strongest first (its API reference, `reasoning.effort`)."""

CALLED = frozenset({"text", "embeddings"})
"""What is asked of all hosts in one way. Each that reranks has an address of its own for it."""
REASONING = frozenset({"include_reasoning", "reasoning", "reasoning_effort"})
"""What can be asked of a model with efforts. A budget or a switch is passed on by few hosts."""
BUDGETED = frozenset({"anthropic"})
"""Dialects in which a model can be given a budget to think, which efforts are turned into."""
FOREIGN_PACKAGES = frozenset(
    {"@ai-sdk/anthropic", "@ai-sdk/google-vertex/anthropic", "@ai-sdk/google"}
)
"""Packages of models.dev's `npm` for entries that speak another dialect than their provider."""
UNASKED = frozenset({"medium", "none"})
"""Efforts that a model has without being asked: one that knows no other leaves nothing to ask."""

_OTHER_WORDS = {"pdf": "file"}
_RERANK = re.compile(r"rerank")
_EMBEDDINGS = re.compile(r"embed|(?<![a-z0-9])(?:bge|e5|gte|multi-qa)-")
_SPEECH = re.compile(r"(?<![a-z0-9])(?:tts|orpheus)(?![a-z0-9])")


def sizes(limit: Limit) -> tuple[int | None, int | None]:
    """Return the tokens of context and output. 0 is unknown, and no output exceeds the context."""
    context, output = limit.context or None, limit.output or None
    return context, min(output, context) if output and context else output


def inputs(about: About) -> tuple[Modality, ...]:
    """Return what goes in, by the catalog's words and in its order; text where nothing is said."""
    said = {_OTHER_WORDS.get(word, word) for word in about.modalities.input}
    return tuple(word for word in MODALITIES if word in said) or ("text",)


def outputs(entry: Entry) -> tuple[Output, ...]:
    """Return what comes out, by OpenRouter's words.

    models.dev has only media: what is done with text or sound is told by the name, or by a
    correction, which has those words.
    """
    kinds = tuple(word for word in OUTPUTS if word in entry.about.modalities.output)
    name = entry.id.lower().rpartition("/")[2]
    if kinds == ("audio",) and _SPEECH.search(name):
        return ("speech",)
    if kinds in {(), ("text",)}:
        return (_of_text(entry.about, name),)
    return kinds


def _of_text(about: About, name: str) -> Output:
    if set(about.modalities.input) == {"audio"}:
        return "transcription"
    if _RERANK.search(name):
        return "rerank"
    return "embeddings" if _EMBEDDINGS.search(name) else "text"


def released(about: About) -> int | None:
    """Return the Unix time of the day, or of the month's first, when a model came out."""
    text = about.release_date
    try:
        day = date.fromisoformat(f"{text}-01" if len(text) == len("2025-05") else text)
    except ValueError:
        return None
    seconds = int(datetime.combine(day, time(), UTC).timestamp())
    return seconds if seconds > 0 else None


def word(text: str | None) -> str | None:
    """Return a word that the source has for people, None where it says nothing printable."""
    stripped = (text or "").strip()
    return stripped if stripped and stripped.isprintable() else None


def efforts(about: About) -> tuple[str, ...]:
    """Return the reasoning efforts that can be asked for, strongest first."""
    said = {
        value
        for option in about.reasoning_options
        if option.type == "effort"
        for value in option.values
    }
    return tuple(effort for effort in EFFORTS if effort in said)


def supports(entry: Entry, provider: Provider, parameters: Parameters) -> tuple[str, ...]:
    """Return the request parameters that an endpoint takes, sorted. Unknown is unsupported."""
    about = entry.about
    if "text" not in outputs(entry):
        return ()
    names = set(parameters.every | parameters.hosts.get(provider.slug, frozenset()))
    if about.tool_call:
        names |= parameters.tools
    else:
        names.discard("parallel_tool_calls")
    if about.temperature is False:
        names -= parameters.sampling
    for pattern, differs in parameters.models.get(provider.slug, {}).items():
        if fnmatchcase(entry.id, pattern):
            names.update(differs.adds)
            names.difference_update(differs.lacks)
    if about.structured_output:
        names |= {"response_format", "structured_outputs"}
    asked = set(efforts(about)) - UNASKED
    if about.reasoning and (asked or provider.dialect in BUDGETED):
        names |= REASONING if provider.quirks.reasoning != "none" else frozenset()
    return tuple(sorted(names - provider.quirks.rejects))


def dialect(entry: Entry, provider: Provider) -> Spoken | None:
    """Return what an endpoint speaks where neither its provider's row nor a correction says it.

    models.dev has `shape: responses` for what is served by the Responses API only.
    """
    is_shaped = entry.about.provider.shape == "responses" and provider.dialect == "openai"
    return "responses" if is_shaped and provider.spoken_with(entry.id) is None else None


def status(entry: Entry, provider: Provider, *, silent: bool = False) -> Status:
    """Return whether an endpoint can be called with a request for what it makes.

    It is inactive where it speaks another dialect than its provider's row knows of, makes
    neither text nor embeddings, or is `silent`, by a correction. What reranks can be called where
    a person has read of it.
    """
    about = entry.about
    if about.status == "deprecated":
        return "deprecated"
    foreign = about.provider.npm in FOREIGN_PACKAGES or about.provider.shape == "responses"
    told = provider.spoken_with(entry.id) or dialect(entry, provider)
    foreign = foreign and told is None
    called = entry.added or not CALLED.isdisjoint(outputs(entry))
    return "inactive" if silent or foreign or not called else "active"


def doubts(entry: Entry) -> Iterator[str]:
    """Yield what an entry says that makes no sense, for people."""
    about = entry.about
    context, output = about.limit.context, about.limit.output
    if context and output > context:
        yield f"output {output:,} is more than context {context:,}"
    if about.release_date and released(about) is None:
        yield f"released on {about.release_date}"
    if (cost := about.cost) is None:
        return
    for unit in ("citation", "request"):
        if getattr(cost, unit):
            yield f"a price per {unit} without a unit"
    if cost.cached is not None and cost.input is not None and cost.cached > cost.input:
        yield "cached tokens cost more than others"
