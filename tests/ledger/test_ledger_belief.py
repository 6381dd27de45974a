"""What of a provider's figures counts: negative, absurd, missing, and sums that nobody charged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.catalog.types import Billing, Price, Provider
from dragoman.core.money import PicoUsd
from dragoman.core.notes import Change
from dragoman.ledger.belief import AT_LEAST, Believed, Seen, believed, most_completion
from dragoman.providers.usage import read_usage
from dragoman.wire.usage import Usage

HOST = Provider(slug="acme", name="Acme", dialect="openai", base_url="https://acme")
TELLER = Provider(
    slug="teller",
    name="Teller",
    dialect="openai",
    base_url="https://teller",
    billing=Billing(reports_usd=True),
)
PRICE = Price(prompt=PicoUsd(1_000_000), completion=PicoUsd(2_000_000))
SEEN = Seen(prompt_most=2000, text_bytes=400, produced_bytes=90, elapsed_s=1.0, max_output=8192)


def told(said: Usage | None, host: Provider = HOST, price: Price | None = PRICE) -> Believed:
    return believed(said, SEEN, host, price)


def test_what_can_be_is_believed_as_it_is() -> None:
    said = Usage(prompt=120, completion=5000, reasoning=4900, cached=100)
    assert told(said) == Believed(said)


def test_a_missing_usage_is_estimated_from_what_passed() -> None:
    found = told(None)
    assert found.usage == Usage(prompt=100, completion=23, source="estimated")
    assert [(note.change, note.field) for note in found.notes] == [(Change.INJECTED, "usage")]


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (b'{"prompt_tokens": -5, "completion_tokens": 7}', (100, 7)),
        (b'{"prompt_tokens": 50, "completion_tokens": -1}', (50, 23)),
        (b'{"prompt_tokens": 50, "completion_tokens": "many"}', (50, 23)),
        (b'{"prompt_tokens": 1e300, "completion_tokens": 1e308}', (100, 23)),
        (b'{"prompt_tokens": null, "completion_tokens": []}', (100, 23)),
        (b'{"prompt_tokens": true, "completion_tokens": 3}', (100, 3)),
    ],
)
def test_a_count_that_is_none_counts_as_missing(said: bytes, counts: tuple[int, int]) -> None:
    found = told(read_usage(said))
    assert (found.usage.prompt, found.usage.completion) == counts
    assert found.usage.source == "estimated"
    assert "cannot be believed" in found.notes[0].detail


def test_a_count_of_nothing_where_there_was_something_counts_as_missing() -> None:
    assert told(Usage(prompt=50)).usage == Usage(prompt=50, completion=23, source="estimated")
    assert told(Usage(completion=7)).usage == Usage(prompt=100, completion=7, source="estimated")
    assert told(Usage(prompt=50)).notes[0].field == "usage"


def test_of_an_answer_that_is_counted_by_its_thoughts_only_the_rest_is_estimated() -> None:
    for thoughts, counts in ((7, 23), (4000, 4000)):
        said = read_usage(
            b'{"prompt_tokens": 50, "completion_tokens": null,'
            b'"completion_tokens_details": {"reasoning_tokens": %d}}' % thoughts
        )
        found = told(said).usage
        assert (found.completion, found.reasoning) == (counts, thoughts)
        assert found.source == "estimated"


def test_searches_are_counted_without_tokens() -> None:
    seen = replace(SEEN, produced_bytes=0)
    assert believed(Usage(searches=2), seen, HOST, PRICE) == Believed(Usage(searches=2))


def test_nothing_is_counted_of_what_was_withheld() -> None:
    assert believed(Usage(), replace(SEEN, withheld=True), HOST, PRICE) == Believed(Usage())


def test_of_a_prompt_that_is_counted_by_its_cache_only_the_rest_is_estimated() -> None:
    said = read_usage(b'{"input_tokens": null, "output_tokens": 7, "cache_read_input_tokens": 60}')
    assert told(said).usage == Usage(prompt=100, completion=7, cached=60, source="estimated")
    much = read_usage(b'{"input_tokens": -1, "output_tokens": 7, "cache_read_input_tokens": 900}')
    assert told(much).usage == Usage(prompt=900, completion=7, cached=900, source="estimated")


def test_absurd_counts_are_cut_to_what_is_possible_with_their_parts() -> None:
    said = Usage(
        prompt=10**9,
        completion=10**9,
        cached=10**9,
        cache_write=10**9,
        cache_write_1h=10**9,
        prompt_audio=10**9,
        reasoning=10**9,
        searches=10**9,
    )
    found = told(said)
    assert found.usage == Usage(
        prompt=2000,
        completion=8192,
        cached=2000,
        cache_write=2000,
        cache_write_1h=2000,
        prompt_audio=2000,
        reasoning=8192,
        searches=100,
        source="clamped",
    )
    assert [(note.change, note.field) for note in found.notes] == [
        (Change.CLAMPED, "usage.prompt"),
        (Change.CLAMPED, "usage.completion"),
        (Change.CLAMPED, "usage.searches"),
    ]


def test_an_answer_is_bounded_by_its_time_unless_its_bytes_are_there() -> None:
    quick = Seen(prompt_most=1, text_bytes=0, produced_bytes=10, elapsed_s=0.01)
    assert most_completion(quick) == AT_LEAST + 100
    long = Seen(prompt_most=1, text_bytes=0, produced_bytes=90_000, elapsed_s=0.01, max_output=4)
    assert most_completion(long) == 90_000
    several = Seen(
        prompt_most=1, text_bytes=0, produced_bytes=10, elapsed_s=9.0, choices=3, max_output=500
    )
    assert most_completion(several) == 1500


@pytest.mark.parametrize(
    ("said", "price", "counts"),
    [
        (0.0005, PRICE, True),
        (0.0, PRICE, True),
        (0.0119, PRICE, True),  # ten times the list, and a cent
        (0.0121, PRICE, False),
        (999.0, None, True),
        (1001.0, None, False),
    ],
)
def test_a_reported_cost_counts_unless_it_is_far_beyond_the_list(
    *, said: float, price: Price | None, counts: bool
) -> None:
    # the list makes 0.0002 of it
    found = told(Usage(prompt=100, completion=50, cost_usd=said), TELLER, price)
    assert (found.usage.cost_usd == said) is counts
    assert [note.field for note in found.notes] == ([] if counts else ["usage.cost"])


def test_a_sum_of_a_host_that_is_not_known_to_report_usd_does_not_count() -> None:
    assert told(Usage(prompt=1, completion=1, cost_usd=0.5)) == Believed(
        Usage(prompt=1, completion=1)
    )


counts = st.integers(1, 10**9)


@given(counts, counts, counts, counts)
def test_nothing_beyond_the_bound_is_ever_believed(
    prompt: int, completion: int, cached: int, reasoning: int
) -> None:
    said = Usage(prompt=prompt, completion=completion, cached=cached, reasoning=reasoning)
    usage = told(said).usage
    assert usage.prompt <= SEEN.prompt_most
    assert usage.completion <= most_completion(SEEN)
    if (prompt, completion) != (usage.prompt, usage.completion):
        assert usage.source == "clamped"
        assert usage.cached <= usage.prompt
        assert usage.reasoning <= usage.completion
