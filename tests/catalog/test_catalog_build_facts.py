"""What an entry is worth and can do: units, odd keys, sizes, words, and prices far apart."""

from typing import Any

import pytest

from dragoman.catalog.build import facts, prices
from dragoman.catalog.build.read import About, Cost, CostTier, Entry, Limit, TierBound, read
from dragoman.catalog.build.rows import rows
from dragoman.catalog.build.tables import Correction
from dragoman.catalog.shipped import ModelRow
from dragoman.catalog.types import Price, PriceTier, Provider, Quirks
from dragoman.core.money import PicoUsd
from tests.catalog.source import DECIDED, built, document, entry, served

HOST = Provider(slug="acme", name="Acme", dialect="openai", base_url="https://acme.test")


def read_one(raw: dict[str, Any]) -> Entry:
    (one,) = read(document(acme={"m": raw})).entries
    return one


def row_of(*models: dict[str, Any], **more: dict[str, Any]) -> ModelRow:
    """Return the row of `openai/gpt-5.2`, served by `acme` with this entry, and others."""
    source = document(
        openrouter={"openai/gpt-5.2": entry("GPT-5.2")},
        **{f"host{i}": {"gpt-5.2": raw} for i, raw in enumerate(models)},
        **{slug: {"gpt-5.2": raw} for slug, raw in more.items()},
    )
    (row,) = rows(built(source).models, DECIDED)
    return row


def test_the_noise_of_floats_is_rounded_away() -> None:
    assert prices.pico(0.049999999999999996) == 50_000
    assert prices.pico(0.0028) == 2_800


def test_every_key_of_a_price_is_read() -> None:
    cost = Cost(input=1, output=2, cached_input=0.1, cached_write=1.25, input_audio=4)
    tier = CostTier(tier=TierBound(size=200_000), input=2, output=3)
    other = CostTier(tier=TierBound(size=9, type="batch"), input=0.5)
    found = prices.price(Cost(input=1, output=2, cache_input=0.1, tiers=(tier, other)))
    assert found == Price(
        prompt=PicoUsd(1_000_000),
        completion=PicoUsd(2_000_000),
        cache_read=PicoUsd(100_000),
        tiers=(
            PriceTier(
                min_prompt_tokens=200_000,
                prompt=PicoUsd(2_000_000),
                completion=PicoUsd(3_000_000),
            ),
        ),
    )
    odd = prices.price(cost)
    assert odd is not None
    assert (odd.cache_read, odd.cache_write, odd.audio) == (100_000, 1_250_000, 4_000_000)


@pytest.mark.parametrize(
    "cost", [None, Cost(), Cost(input=0, output=0), Cost(input=1), Cost(input=1, output=0)]
)
def test_what_is_missing_or_zero_is_unknown(cost: Cost | None) -> None:
    assert prices.price(cost) is None


def test_an_embedding_costs_nothing_to_write() -> None:
    found = prices.price(Cost(input=0.1, output=0), one_sided=True)
    assert found == Price(prompt=PicoUsd(100_000), completion=PicoUsd(0))


def test_cached_tokens_that_cost_more_are_a_mistake() -> None:
    found = prices.price(Cost(input=0.1, output=0.3, cache_read=0.3))
    assert found is not None
    assert found.cache_read is None


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit(context=0, output=0), (None, None)),
        (Limit(context=100, output=0), (100, None)),
        (Limit(context=0, output=100), (None, 100)),
        (Limit(context=100, output=200), (100, 100)),
        (Limit(context=200, output=100), (200, 100)),
    ],
)
def test_sizes(limit: Limit, expected: tuple[int | None, int | None]) -> None:
    assert facts.sizes(limit) == expected


@pytest.mark.parametrize(
    ("id_", "inputs", "outputs", "expected"),
    [
        ("m", ["text", "pdf"], ["text"], ("text",)),
        ("m", ["text"], ["text", "image"], ("text", "image")),
        ("m", ["text"], [], ("text",)),
        ("m", ["text"], ["pdf"], ("text",)),
        ("whisper-large-v3", ["audio"], ["text"], ("transcription",)),
        ("gemini-2.5-flash-tts", ["text"], ["audio"], ("speech",)),
        ("text-to-music", ["text"], ["audio"], ("audio",)),
        ("text-embedding-3-large", ["text"], ["text"], ("embeddings",)),
        ("intfloat/e5-large-v2", ["text"], ["text"], ("embeddings",)),
        ("Qwen3-Reranker-4B", ["text"], ["text"], ("rerank",)),
    ],
)
def test_outputs_by_openrouters_words(
    id_: str, inputs: list[str], outputs: list[str], expected: tuple[str, ...]
) -> None:
    raw = entry(modalities={"input": inputs, "output": outputs})
    (one,) = read(document(acme={id_: raw})).entries
    assert facts.outputs(one) == expected


def test_a_pdf_is_a_file() -> None:
    one = read_one(entry(modalities={"input": ["pdf", "text", "smell"], "output": ["text"]}))
    assert facts.inputs(one.about) == ("text", "file")


@pytest.mark.parametrize(
    ("date", "expected"),
    [("2025-05-01", 1746057600), ("2025-05", 1746057600), ("2025-25-11", None), ("", None)],
)
def test_a_release_date_is_a_day_that_exists(date: str, expected: int | None) -> None:
    assert facts.released(About(name="m", release_date=date)) == expected


def test_efforts_come_strongest_first_and_only_known_ones() -> None:
    options = [
        {"type": "effort", "values": ["low", "default", "xhigh", "high"]},
        {"type": "toggle"},
    ]
    assert facts.efforts(read_one(entry(reasoning_options=options)).about) == (
        "xhigh",
        "high",
        "low",
    )


def test_parameters_follow_the_facts_and_the_host() -> None:
    thinks = entry(
        reasoning=True,
        temperature=False,
        structured_output=True,
        reasoning_options=[{"type": "effort", "values": ["high"]}],
    )
    one = read_one(thinks)
    found = facts.supports(one, HOST, DECIDED.parameters)
    assert {"tools", "tool_choice", "response_format", "structured_outputs"} <= set(found)
    assert {"reasoning", "include_reasoning", "reasoning_effort"} <= set(found)
    assert "temperature" not in found
    deaf = Provider(
        slug="groq",
        name="Groq",
        dialect="openai",
        base_url="https://groq.test",
        quirks=Quirks(rejects=frozenset({"tools"}), reasoning="none"),
    )
    assert {"tools", "reasoning"}.isdisjoint(facts.supports(one, deaf, DECIDED.parameters))


def test_a_model_without_tools_takes_none_and_exceptions_count() -> None:
    openai = Provider(slug="openai", name="O", dialect="openai", base_url="https://openai.test")
    plain = read_one(entry(tool_call=False))
    names = set(facts.supports(plain, openai, DECIDED.parameters))
    assert {"tools", "parallel_tool_calls"}.isdisjoint(names)
    assert "temperature" in names
    thinker = Entry(provider="openai", id="gpt-5.2", about=plain.about)
    assert "verbosity" in facts.supports(thinker, openai, DECIDED.parameters)


def test_a_price_that_stands_alone_is_unknown_and_the_conflict_is_told() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry()},
        one={"gpt-5.2": entry()},
        two={"gpt-5.2": entry(cost=(1.1, 2.2))},
        yuan={"gpt-5.2": entry(cost=(7, 14))},
    )
    found = built(source)
    assert {draft.provider.slug: draft.price is None for draft in found.models[0].drafts} == {
        "one": False,
        "two": False,
        "yuan": True,
    }
    (conflict,) = found.account.conflicts
    assert (conflict.model, conflict.times) == ("openai/gpt-5.2", 7.0)
    assert ("yuan: gpt-5.2", "7/14", "unknown: alone") in conflict.prices


def test_a_crowd_without_a_gap_is_kept_however_wide() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry()},
        **{f"host{i}": {"gpt-5.2": entry(cost=(3.0**i, 3.0**i))} for i in range(4)},
    )
    found = built(source)
    assert all(draft.price for draft in found.models[0].drafts)
    assert found.account.conflicts[0].times == 27.0


def test_one_host_s_regions_are_no_witnesses_for_each_other() -> None:
    models = {
        "anthropic.claude-opus-4-6-v1": entry(cost=(50, 250)),
        "us.anthropic.claude-opus-4-6-v1": entry(cost=(50, 250)),
    }
    source = document(
        openrouter={"anthropic/claude-opus-4.6": entry()},
        amazon_bedrock=models,
        anthropic={"claude-opus-4-6": entry(cost=(5, 25))},
        venice={"claude-opus-4-6": entry(cost=(6, 30))},
    )
    found = {draft.tag: draft.price for draft in built(source).models[0].drafts}
    assert found["amazon-bedrock"] is None
    assert found["amazon-bedrock/us"] is None
    assert found["anthropic"] is not None


def correction(what: Any, **fields: Any) -> Correction:
    return Correction(
        provider="acme", ids=("gpt-5.2",), what=what, reason="because", source="a test", **fields
    )


CORRECTED = document(
    openrouter={"openai/gpt-5.2": entry()},
    acme={"gpt-5.2": entry(cost=(0, 0))},
    other={"gpt-5.2": entry()},
)


def test_corrections_are_applied_and_told() -> None:
    found = built(CORRECTED, correction("price", new="3/4"), correction("inactive"))
    draft = next(d for d in found.models[0].drafts if d.provider.slug == "acme")
    assert draft.price == Price(prompt=PicoUsd(3_000_000), completion=PicoUsd(4_000_000))
    assert draft.status == "inactive"
    assert [place for _, place in found.account.corrected] == ["acme: gpt-5.2"] * 2
    assert found.account.unused == ()


def test_a_dropped_entry_is_named_with_its_reason() -> None:
    found = built(CORRECTED, correction("drop"))
    assert served(found) == {"openai/gpt-5.2": {"other": "gpt-5.2"}}
    assert ("acme: gpt-5.2", "because") in found.account.dropped


def test_a_declared_free_tier_is_free_alone() -> None:
    assert served(built(CORRECTED, correction("free"))) == {
        "openai/gpt-5.2": {"acme:free": "gpt-5.2", "other": "gpt-5.2"}
    }


def test_zero_alone_is_no_free_tier() -> None:
    (model,) = built(CORRECTED).models
    acme = next(draft for draft in model.drafts if draft.provider.slug == "acme")
    assert (acme.price, acme.identity.free) == (None, False)


def test_a_correction_that_matches_nothing_is_told() -> None:
    row = Correction(provider="who", ids=("x",), what="drop", reason="r", source="s")
    assert built(CORRECTED, row).account.unused == (row,)


@pytest.mark.parametrize(
    ("facts_", "status"),
    [
        ({"status": "deprecated"}, "deprecated"),
        ({"status": "beta"}, "active"),
        ({"provider": {"shape": "responses"}}, "inactive"),
        ({"provider": {"shape": "completions"}}, "active"),
        ({"provider": {"npm": "@ai-sdk/anthropic"}}, "inactive"),
        ({"modalities": {"input": ["text"], "output": ["image"]}}, "inactive"),
    ],
)
def test_status(facts_: dict[str, Any], status: str) -> None:
    assert [row.status for row in row_of(entry(**facts_)).endpoints] == [status]


def test_a_model_is_deprecated_when_all_its_endpoints_are() -> None:
    gone = entry(status="deprecated")
    assert row_of(gone, gone).deprecated
    assert not row_of(gone, entry()).deprecated


def test_the_maker_s_word_counts_then_the_most_common() -> None:
    made = entry("GPT-5.2 (latest)", knowledge="2025-08", open_weights=False, reasoning=True)
    other = entry("gpt", knowledge="2020-01", open_weights=True)
    row = row_of(other, other, openai=made)
    assert (row.name, row.knowledge, row.open_weights, row.reasoning) == (
        "OpenAI: GPT-5.2",
        "2025-08",
        False,
        True,
    )
    assert row_of(other, other).open_weights
    assert row_of(entry(open_weights=False)).open_weights is None


def test_weights_must_be_the_model_s_own() -> None:
    def at(place: str) -> dict[str, Any]:
        return entry(weights=[{"url": "https://example.test/x"}, {"url": place}])

    assert row_of(at("https://huggingface.co/openai/GPT-5.2")).hugging_face_id == "openai/GPT-5.2"
    assert row_of(at("https://huggingface.co/openai/gpt-5.1")).hugging_face_id is None


def test_nothing_says_when_it_came_out() -> None:
    source = document(acme={"roc": entry(release_date="soon")})
    (row,) = rows(built(source).models, DECIDED)
    assert row.created == 0


def test_a_flex_way_is_no_default_route() -> None:
    source = document(
        openrouter={"z-ai/glm-5.2": entry()},
        acme={"glm-5.2": entry(), "glm-5.2-flex": entry(cost=(0.5, 1))},
    )
    (row,) = rows(built(source).models, DECIDED)
    assert {each.variant: each.default_route for each in row.endpoints} == {
        "": True,
        "flex": False,
    }


def test_doubts_are_told() -> None:
    raw = entry(
        limit={"context": 10, "output": 20},
        release_date="2025-25-11",
        cost={"input": 1, "output": 2, "cache_read": 3, "request": 5},
    )
    found = built(document(acme={"roc": raw})).account.doubts
    assert [why for _, why in found] == [
        "a price per request without a unit",
        "cached tokens cost more than others",
        "output 20 is more than context 10",
        "released on 2025-25-11",
    ]
