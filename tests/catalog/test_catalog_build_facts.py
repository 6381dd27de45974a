"""What an entry can do and what is said of a model: sizes, words, status, whose word counts."""

from typing import Any

import pytest

from dragoman.catalog.build import facts
from dragoman.catalog.build.read import About, Entry, Limit, read
from dragoman.catalog.build.rows import rows
from dragoman.catalog.build.tables import Correction
from dragoman.catalog.types import Price, Provider, Quirks
from dragoman.core.money import PicoUsd
from tests.catalog.source import DECIDED, built, document, entry, row_of, served

HOST = Provider(slug="acme", name="Acme", dialect="openai", base_url="https://acme.test")


def read_one(raw: dict[str, Any]) -> Entry:
    (one,) = read(document(acme={"m": raw})).entries
    return one


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
    [
        ("0001-01-01", None),
        ("2025-05-01", 1746057600),
        ("2025-05", 1746057600),
        ("2025-25-11", None),
        ("", None),
    ],
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
        ({"provider": {"shape": "responses"}}, "active"),
        ({"provider": {"shape": "completions"}}, "active"),
        ({"provider": {"npm": "@ai-sdk/anthropic"}}, "inactive"),
        ({"modalities": {"input": ["text"], "output": ["image"]}}, "inactive"),
    ],
)
def test_status(facts_: dict[str, Any], status: str) -> None:
    assert [row.status for row in row_of(entry(**facts_)).endpoints] == [status]


@pytest.mark.parametrize(("shape", "dialect"), [("responses", "responses"), ("completions", None)])
def test_what_has_the_responses_api_only_speaks_it(shape: str, dialect: str | None) -> None:
    rows = row_of(entry(provider={"shape": shape})).endpoints
    assert [row.dialect for row in rows] == [dialect]


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


def test_an_entry_with_another_s_base_model_tells_nothing_of_this_one() -> None:
    other = entry(base_model="openai/gpt-4o", knowledge="2023-10")
    own = entry(base_model="openai/gpt-5.2", knowledge="2025-08")
    models = {"openai/gpt-5.2": entry(), "openai/gpt-4o": entry()}
    source = document(
        openrouter=models, a={"gpt-5.2": other}, b={"gpt-5.2": other}, c={"gpt-5.2": own}
    )
    (row,) = rows(built(source).models, DECIDED)
    assert row.knowledge == "2025-08"
    alone = document(openrouter=models, a={"gpt-5.2": other})
    (row,) = rows(built(alone).models, DECIDED)
    assert row.knowledge == "2023-10"


def test_what_writes_no_text_has_no_most_of_it() -> None:
    source = document(acme={"e5-large-v2": entry(), "roc": entry()})
    found = rows(built(source).models, DECIDED)
    assert [each.max_output for row in found for each in row.endpoints] == [1024, None]


def test_weights_must_be_the_model_s_own() -> None:
    def at(place: str) -> dict[str, Any]:
        return entry(weights=[{"url": "https://example.test/x"}, {"url": place}])

    assert row_of(at("https://huggingface.co/openai/GPT-5.2")).hugging_face_id == "openai/GPT-5.2"
    assert row_of(at("https://huggingface.co/openai/gpt-5.1")).hugging_face_id is None


def test_a_model_came_out_on_the_middle_day_or_when_openrouter_had_it() -> None:
    days = ("2025-01-01", "2025-05-01", "2025-07-01", "2025-09-01")
    hosts_ = [entry(release_date=day) for day in days[1:]]
    source = {f"host{i}": {"roc": raw} for i, raw in enumerate(hosts_)}
    created = {
        day: rows(built(document(openrouter=listed, **source)).models, DECIDED)[0].created
        for day in days
        for listed in [{"acme/roc": entry(release_date=day)}]
    }
    assert created == {
        "2025-01-01": 1735689600,
        "2025-05-01": 1746057600,
        "2025-07-01": 1751328000,
        "2025-09-01": 1751328000,
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["roc-9b", "Roc 9B"], "Roc 9B"),
        (["Roc 9", "Rocky 9B", "Rocky 9B"], "Rocky 9B"),
        (["Roc 9B Instruct", "Roc 9B"], "Roc 9B"),
        (["acme/Roc 9B", "Roc 9B"], "Roc 9B"),
        (["Roc/"], "Roc/"),
        (["roc-9b"], "roc-9b"),
    ],
)
def test_the_name_that_most_hosts_use_is_no_mere_id(names: list[str], expected: str) -> None:
    source = {f"host{i}": {"acme/roc-9b": entry(name)} for i, name in enumerate(names)}
    (row,) = rows(built(document(**source)).models, DECIDED)
    assert row.name == f"acme: {expected}"


def test_what_cannot_be_printed_is_no_fact() -> None:
    assert facts.word(" gpt ") == "gpt"
    assert [facts.word(text) for text in (None, "", " ", "a\x00b")] == [None] * 4


def test_the_maker_may_know_no_efforts() -> None:
    thinks = entry(reasoning_options=[{"type": "effort", "values": ["low", "high"]}])
    assert row_of(thinks, thinks, openai=entry()).efforts == ()
    assert row_of(thinks, entry(), entry()).efforts == ("high", "low")


@pytest.mark.parametrize("values", [["medium"], ["none", "default"]])
def test_a_model_that_knows_one_way_to_think_cannot_be_asked_for_another(values: Any) -> None:
    raw = entry(reasoning=True, reasoning_options=[{"type": "effort", "values": values}])
    assert "reasoning" not in facts.supports(read_one(raw), HOST, DECIDED.parameters)


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
