"""What holds of every build: the same in any order, nothing lost or doubled, nothing crashes."""

import json
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.build.read import read
from dragoman.catalog.build.rows import rows, text
from dragoman.catalog.check import check
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.shipped import ModelRow, read_models
from tests.catalog.source import DECIDED, built, document, entry, hosts

NAMES = (
    "claude-opus-4-1",
    "claude-opus-4-1-20250805",
    "anthropic/claude-4.1-opus",
    "glm-5.2",
    "glm-5.2-fast",
    "zai-org/GLM-5.2-FP8",
    "gpt-oss:20b",
    "openai/gpt-oss-20b",
    "roc",
    "Roc",
    "text-embedding-3-large",
    "mistral-large-latest",
)
LISTED = ("anthropic/claude-opus-4.1", "z-ai/glm-5.2", "openai/gpt-oss-20b")

costs = st.one_of(
    st.none(), st.tuples(st.sampled_from([0, 0.5, 1, 7, 300]), st.sampled_from([0, 2, 14]))
)
entries = st.builds(
    lambda name, cost, status: entry(name, cost=cost, status=status),
    st.sampled_from(["One", "Two"]),
    costs,
    st.sampled_from([None, "deprecated", "beta"]),
)
sources = st.dictionaries(
    st.sampled_from(["acme", "ollama-cloud", "amazon-bedrock", "anthropic"]),
    st.dictionaries(st.sampled_from(NAMES), entries, max_size=8),
    max_size=4,
)
junk = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
nasty = st.one_of(
    st.text("aZ1-_.:/@?#'|~", min_size=1, max_size=12),
    st.sampled_from(["gpt-5.2" + "-fast" * 20, "hf:", "-latest", "a" * 120, "x/y/models/", "@cf/"]),
)
WORDS = ("knowledge", "family", "base_model", "status", "provider", "open_weights")
FIELDS = ("name", "cost", "limit", "modalities", "release_date", "reasoning_options", "weights")


def listed(providers: dict[str, Any]) -> bytes:
    return document(openrouter={id_: entry() for id_ in LISTED}, **providers)


@given(sources, st.randoms(use_true_random=False))
def test_the_order_of_the_source_does_not_matter(providers: dict[str, Any], rng: Any) -> None:
    shuffled = {
        slug: dict(sorted(models.items(), key=lambda _: rng.random()))
        for slug, models in sorted(providers.items(), key=lambda _: rng.random())
    }
    one, other = built(listed(providers)), built(listed(shuffled))
    assert one == other
    assert text(rows(one.models, DECIDED)) == text(rows(other.models, DECIDED))


@given(sources)
def test_every_entry_is_an_endpoint_a_name_of_one_or_dropped(providers: dict[str, Any]) -> None:
    found = built(listed(providers))
    drafts = [draft.entry.place for model in found.models for draft in model.drafts]
    twins = [each.entry.place for each in found.account.merges if each.twin_of]
    dropped = [place for place, _ in found.account.dropped]
    places = [f"{slug}: {id_}" for slug, models in providers.items() for id_ in models]
    assert Counter(drafts + twins + dropped) == Counter(
        places + [f"openrouter: {id_}" for id_ in LISTED]
    )


@given(sources)
def test_what_is_built_is_sound_and_reads_back_the_same(providers: dict[str, Any]) -> None:
    source = listed(providers)
    rows_ = hosts(source)
    written = text(rows(built(source).models, DECIDED))
    assert text(msgspec.json.decode(written, type=tuple[ModelRow, ...])) == written
    models = read_models(written.encode(), rows_)
    ids = [endpoint.id for model in models for endpoint in model.endpoints]
    names = [(e.provider, e.upstream) for model in models for e in model.endpoints]
    assert len(set(ids)) == len(ids)
    assert len(set(names)) == len(names)
    if models:
        assert check(written.encode(), rows_, None).problems == ()


@given(st.sampled_from(FIELDS), junk)
def test_a_damaged_entry_is_skipped_and_listed_or_makes_sense(field: str, value: Any) -> None:
    source = document(acme={"good": entry(), "bad": entry() | {field: value}})
    found = built(source)
    served = {draft.entry.id for model in found.models for draft in model.drafts}
    assert "good" in served
    listed_ = {place for place, _ in found.account.dropped}
    assert ("bad" in served) is ("acme: bad" not in listed_)


@given(st.sampled_from((*FIELDS, *WORDS)), junk, nasty, nasty)
def test_whatever_an_entry_says_the_result_is_sound(
    field: str, value: Any, one: str, other: str
) -> None:
    damaged = entry(cost=(9, 9)) | {field: value}
    source = document(
        openrouter={one: damaged, "openai/gpt-5.2": entry()},
        acme={one: damaged, other: entry(), f"{other}-fp8": damaged, "gpt-5.2": entry()},
        other={other: damaged},
    )
    made = text(rows(built(source).models, DECIDED))
    assert check(made.encode(), hosts(source), None).problems == ()


@pytest.mark.parametrize(
    "bad",
    [
        entry() | {"cost": {"input": float("nan"), "output": 1}},
        entry() | {"cost": {"input": float("inf"), "output": 1}},
        entry() | {"cost": {"input": -1, "output": 1}},
        entry() | {"cost": {"input": 10**9, "output": 1}},
        entry() | {"cost": {"input": "1", "output": 1}},
        entry() | {"limit": {"context": -1}},
        entry() | {"limit": {"context": 10**12}},
        entry() | {"name": "x" * 301},
        entry() | {"name": " "},
        entry() | {"name": "a\x00b"},
        {},
        None,
        [],
    ],
)
def test_what_cannot_be_is_skipped_and_listed(bad: Any) -> None:
    found = read(document(acme={"bad": bad, "good": entry()}))
    assert [each.id for each in found.entries] == ["good"]
    assert [place for place, _ in found.problems] == ["acme: bad"]


@pytest.mark.parametrize("id_", ["", "a b", "ä", "x" * 201, "a\nb"])
def test_an_id_that_is_none_is_listed(id_: str) -> None:
    assert len(read(document(acme={id_: entry()})).problems) == 1


def test_a_provider_whose_name_is_none_is_listed() -> None:
    found = read(json.dumps({"providers": {"A B": {"models": {"m": entry()}}}}).encode())
    assert found.entries == ()
    assert [place for place, _ in found.problems] == ["A B"]


def test_a_provider_without_models_is_listed() -> None:
    source = json.dumps({"providers": {"a": {}, "b": 7}, "models": {"x/y": 7}}).encode()
    found = read(source)
    assert found.problems[:2] == (("a", "has no models"), ("b", "has no models"))
    assert found.problems[2][0] == "models: x/y"
    assert found.origin == "models.dev"


@pytest.mark.parametrize(
    "text_", [b"", b"{", b"[]", b"{}", b'{"providers": []}', b"[" * 100_000, b"\xff"]
)
def test_what_is_no_source_at_all_is_refused(text_: bytes) -> None:
    with pytest.raises(CatalogError, match=r"^source: "):
        read(text_)
