"""The table of ids that lead to others: how it is read, and that the shipped one holds."""

import pytest

from dragoman.catalog import shipped
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.latest import latest
from dragoman.catalog.renamed import read_renamed
from dragoman.catalog.types import Model, Renamed

SHIPPED = shipped.load()

STILL_LISTED = {"meta-llama/llama-3.1-405b-instruct"}
"""Names of rows without a day on which the source still lists a host or two."""


def row(name: str, to: str, dated: str = "2026-07", reason: str = "retired") -> str:
    return f'"{name}": {{to: "{to}", dated: "{dated}", reason: "{reason}"}}\n'


def test_a_row_is_found_by_its_name_in_lower_case() -> None:
    assert read_renamed(row("Acme/Old", "acme/new", "2026-07-01").encode()) == {
        "acme/old": Renamed(
            name="Acme/Old", target="acme/new", dated="2026-07-01", reason="retired"
        )
    }


def test_a_chain_of_rows_leads_to_its_end() -> None:
    table = row("a/one", "A/Two") + row("a/two", "a/three") + row("a/three", "a/four")
    assert {r.target for r in read_renamed(table.encode()).values()} == {"a/four"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (row("a/b", "a/b"), r"a/b: goes round in circles: a/b -> a/b"),
        (
            row("a/x", "a/b") + row("a/b", "a/c") + row("a/c", "A/B"),
            r"a/x: goes round in circles: a/x -> a/b -> a/c -> a/b",
        ),
        (row("a/b", "a/c") + row("A/B", "a/c"), r"A/B: is there twice"),
        (row("bare", "a/c"), r"bare: 'bare' is not a model's id"),
        (row("a/b", "bare"), r"a/b: 'bare' is not a model's id"),
        (row("a/b", "a/c", dated="soon"), r"a/b: dated 'soon' is not YYYY-MM"),
        (row("a/b", "a/c", dated="2026-13"), r"a/b: dated '2026-13'"),
        (row("a/b", "a/c", reason=" "), r"a/b: gives no reason"),
        ("a/b: {to: a/c, dated: 2026-07}", r"a/b: .*`reason`"),
        ("a/b: {to: a/c, dated: 2026-07-01, reason: r}", r"a/b: Expected `str`, got `date`"),
        ("a/b: {to: a/c, dated: 2026-07, reason: r, why: w}", r"a/b: .*`why`"),
        ("a/b: 5", r"a/b: "),
        ("- a/b", r"is not a mapping"),
        ("a: [", r"^names.yaml: "),
        ("\x00", r"^names.yaml: "),
    ],
)
def test_a_table_that_does_not_hold_is_refused_with_the_row(text: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        read_renamed(text.encode())


def is_living(model: Model) -> bool:
    return not model.deprecated and any(e.status == "active" for e in model.endpoints)


def test_every_shipped_row_leads_to_a_living_model() -> None:
    models = {model.id: model for model in SHIPPED.models}
    assert len(SHIPPED.renamed) >= 60
    astray = [row.name for row in SHIPPED.renamed.values() if row.target not in models]
    assert astray == []
    assert [r.name for r in SHIPPED.renamed.values() if not is_living(models[r.target])] == []


def test_a_shipped_row_has_the_name_of_a_living_model_only_with_the_day_it_goes() -> None:
    living = {model.id.lower() for model in SHIPPED.models if is_living(model)}
    undated = {name for name, r in SHIPPED.renamed.items() if name in living and len(r.dated) < 10}
    assert undated <= STILL_LISTED


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/claude", "google/gemini-pro-1.5", "mistralai/mistral-7b-instruct",
        "meta-llama/llama-3.1-405b-instruct", "openai/gpt-4-turbo-preview",
        "anthropic/claude-3.5-sonnet",
    ],
)  # fmt: skip
def test_what_people_still_have_in_their_code_is_known(name: str) -> None:
    assert name in SHIPPED.renamed


def test_the_families_that_openrouter_has_names_for_are_known() -> None:
    assert latest(SHIPPED.models).keys() >= {
        "~anthropic/claude-haiku-latest", "~anthropic/claude-opus-latest",
        "~anthropic/claude-sonnet-latest", "~google/gemini-flash-latest",
        "~google/gemini-pro-latest", "~moonshotai/kimi-latest", "~openai/gpt-latest",
        "~openai/gpt-mini-latest",
    }  # fmt: skip
