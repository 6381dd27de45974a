"""What of a provider's own figures can be believed, and what counts where they cannot. Pure.

A count that is missing or negative was marked so where it was read
(`dragoman.providers.usage`), and is estimated here from the bytes that passed; so is one of
nothing where there was something, but for an answer that was withheld: what a guardrail says in
a model's place is nobody's tokens (Bedrock). A count
beyond what those bytes, the endpoint and the time allow is cut to what they allow. A
cost counts where the provider is known to report it in USD, and is not far above its
price list. Whatever is put in place of a figure is noted.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dragoman.catalog.types import Price, Provider
from dragoman.core.notes import Change, Note
from dragoman.ledger.cost import cost_of, reported
from dragoman.wire.usage import Usage

BYTES_PER_TOKEN: Final = 4
"""English text under the tokenizers in use."""
FASTEST_PER_S: Final = 10_000
"""Tokens a second per choice, more than any host generates: three times Cerebras' fastest."""
AT_LEAST: Final = 4096
"""So many tokens are believed of any choice, however short the answer took."""
MOST_SEARCHES: Final = 100
MOST_TIMES: Final = 10
"""A reported cost is believed up to so many times what the price list makes of the usage."""
SMALL_USD: Final = 0.01
"""A reported cost is believed up to this much beyond the list at any rate: fees, roundings."""
MOST_USD: Final = 1000.0
"""The most that is believed of one generation whose price nobody knows."""


class Seen(Struct, frozen=True, kw_only=True, gc=False):
    """What we saw of a request ourselves.

    `prompt_most` is the most that its prompt can count (`dragoman.ledger.bound`),
    `text_bytes` the text of its prompt, `produced_bytes` what came of an answer,
    `elapsed_s` how long that took since the request was sent, `max_output` what the
    endpoint or the request allows per choice. `withheld` says that a filter ended an
    answer of which nothing is counted.
    """

    prompt_most: int
    text_bytes: int
    produced_bytes: int
    elapsed_s: float
    choices: int = 1
    max_output: int | None = None
    withheld: bool = False


class Believed(Struct, frozen=True):
    """The usage that counts, and what was done to what the provider said."""

    usage: Usage
    notes: tuple[Note, ...] = ()


def believed(said: Usage | None, seen: Seen, provider: Provider, price: Price | None) -> Believed:
    """Return what counts of what `provider` said of one answer; None: it said nothing."""
    notes: list[Note] = []
    usage = Usage(source="estimated") if said is None else said
    if not (usage.prompt and usage.completion) and _leaves_out(usage, seen):
        usage = replace(usage, source="estimated")
    if usage.source == "estimated":
        usage = _estimated(usage, seen)
        why = "the provider reported none" if said is None else "the provider's cannot be believed"
        notes.append(_note(Change.INJECTED, "usage", f"estimated, as {why}", provider))
    usage = _clamped(usage, seen, provider, notes)
    if usage.cost_usd is not None:
        usage = _priced(usage, usage.cost_usd, provider, price, notes)
    return Believed(usage, tuple(notes))


def most_completion(seen: Seen) -> int:
    """Return how many tokens an answer may count: what its bytes or its time allow.

    What the endpoint or the request allows bounds it too, but for text that did come.
    """
    by_time = int(FASTEST_PER_S * seen.elapsed_s) + AT_LEAST
    if seen.max_output is not None:
        by_time = min(by_time, seen.max_output)
    return max(by_time * seen.choices, seen.produced_bytes)


def _leaves_out(usage: Usage, seen: Seen) -> bool:
    """Say whether none is counted of what went in, or of what came. Searches are counted alone."""
    if seen.withheld:
        return False
    if not usage.completion and seen.produced_bytes:
        return True
    return not (usage.prompt or usage.searches) and seen.text_bytes >= BYTES_PER_TOKEN


def _estimated(usage: Usage, seen: Seen) -> Usage:
    """Fill in what is not known: half a token too many rather than none for a short answer.

    Of a prompt of which only what was cached is counted, and of an answer of which only what was
    thought is, the rest is not known.
    """
    prompt, completion = usage.prompt, usage.completion
    if prompt <= usage.cached + usage.cache_write:
        prompt = max(prompt, min(seen.text_bytes // BYTES_PER_TOKEN, seen.prompt_most))
    if completion <= usage.reasoning:
        completion = max(completion, -(-seen.produced_bytes // BYTES_PER_TOKEN))
    return replace(usage, prompt=prompt, completion=completion)


def _clamped(usage: Usage, seen: Seen, provider: Provider, notes: list[Note]) -> Usage:
    prompt = max(seen.prompt_most, 0)
    if (
        usage.prompt <= prompt
        and usage.searches <= MOST_SEARCHES
        # A token is mostly more than a byte: then it does not matter how long the answer took.
        and (usage.completion <= seen.produced_bytes or usage.completion <= most_completion(seen))
    ):
        return usage
    most = {"prompt": prompt, "completion": most_completion(seen), "searches": MOST_SEARCHES}
    changes: dict[str, int] = {}
    for name, limit in most.items():
        count: int = getattr(usage, name)
        if count > limit:
            changes[name] = limit
            detail = f"{count:,} reported, and no more than {limit:,} are possible"
            notes.append(_note(Change.CLAMPED, f"usage.{name}", detail, provider))
    source = "estimated" if usage.source == "estimated" else "clamped"
    return _within(replace(usage, source=source, **changes))


def _within(usage: Usage) -> Usage:
    """Return usage none of whose parts is more than what it is a part of."""
    written = min(usage.cache_write, usage.prompt)
    return replace(
        usage,
        reasoning=min(usage.reasoning, usage.completion),
        completion_audio=min(usage.completion_audio, usage.completion),
        completion_image=min(usage.completion_image, usage.completion),
        cached=min(usage.cached, usage.prompt),
        cache_write=written,
        cache_write_1h=min(usage.cache_write_1h, written),
        prompt_audio=min(usage.prompt_audio, usage.prompt),
    )


def _priced(
    usage: Usage, said: float, provider: Provider, price: Price | None, notes: list[Note]
) -> Usage:
    """Return the usage without its reported cost, if that does not count."""
    if provider.billing.reports_usd and _is_near(said, usage, price):
        return usage
    if provider.billing.reports_usd:
        detail = f"${said:.9f} reported, far beyond the price list"
        notes.append(_note(Change.NOT_APPLIED, "usage.cost", detail, provider))
    return replace(usage, cost_usd=None)


def _is_near(said: float, usage: Usage, price: Price | None) -> bool:
    listed = cost_of(replace(usage, cost_usd=None), price)
    if listed is None:
        return said <= MOST_USD
    return reported(said).total <= listed.total * MOST_TIMES + reported(SMALL_USD).total


def _note(change: Change, field: str, detail: str, provider: Provider) -> Note:
    return Note(change, field, detail, provider=provider.slug)
