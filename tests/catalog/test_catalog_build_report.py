"""The account of a build for people, what of it is kept in tables, and the shipped result."""

from pathlib import Path

import msgspec
import pytest

from dragoman.catalog import shipped
from dragoman.catalog.build import tables as tables_module
from dragoman.catalog.build.checked import Checked, Checks, evidence, fingerprint
from dragoman.catalog.build.compile import compile_catalog
from dragoman.catalog.build.corrections import Corrector, stated
from dragoman.catalog.build.report import report
from dragoman.catalog.build.rows import rows, text
from dragoman.catalog.build.tables import Correction, read_table, tables
from dragoman.catalog.build.tally import Tally, tally
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.shipped import DATA, ModelRow
from tests.catalog.source import DECIDED, built, document, entry, hosts

PAGE = Path(__file__).parents[2] / "docs" / "catalog-report.md"
SPREAD = document(
    openrouter={"openai/gpt-5.2": entry()},
    one={"gpt-5.2": entry(cost=(1, 2))},
    two={"gpt-5.2": entry(cost=(70, 140))},
    three={"gpt-5.2": entry(cost=None), "gpt-5.2-2026-01-01": entry(cost=None)},
)


@pytest.fixture(scope="module")
def models() -> tuple[ModelRow, ...]:
    return msgspec.json.decode((DATA / "models.json").read_bytes(), type=tuple[ModelRow, ...])


def test_the_page_tells_of_every_decision() -> None:
    odd = Correction(provider="who", ids=("x",), what="drop", reason="gone", source="s")
    keep = Correction(provider="two", ids=("gpt-5.2",), what="keep", reason="so", source="s")
    found = built(SPREAD, odd, keep)
    made = rows(found.models, DECIDED)
    lines = evidence(found.models[0], made[0])
    checks = [
        Checked(model="openai/gpt-5.2", seen=fingerprint(lines), verdict="right"),
        Checked(model="openai/gone", seen="", verdict="right"),
    ]
    page = report(found.account, found.models, made, hosts(SPREAD), checks)
    for sentence in (
        "Source: a test.",
        "- `who`: x (drop)",
        "| `two: gpt-5.2` | keep |  |  | so | s |",
        "`one: gpt-5.2` 1/2: unknown: alone; `two: gpt-5.2` 70/140: kept: so",
        "- openai/gpt-5.2 ← `one: gpt-5.2`; `three: gpt-5.2`;",
        "| openai/gpt-5.2 | three | `gpt-5.2` | `gpt-5.2-2026-01-01` |",
        "three 1",
        "openai/gpt-5.2: right</summary>",
        "- openai/gone: no longer served",
    ):
        assert sentence in page, sentence


def test_a_model_that_changed_since_it_was_read_is_marked() -> None:
    found = built(SPREAD)
    made = rows(found.models, DECIDED)
    check = Checked(model="openai/gpt-5.2", seen="00000000", verdict="right")
    page = report(found.account, found.models, made, hosts(SPREAD), [check])
    assert "openai/gpt-5.2: right **Changed since.**" in page


def test_aggregators_and_local_servers_are_left_to_tell_of_themselves() -> None:
    made = compile_catalog(SPREAD, hosts(SPREAD, "aggregator"))
    assert made.hosts == Tally(0, 0, 0, 0)
    assert made.models == "[\n\n]\n"


def test_only_what_can_be_called_is_counted_as_such() -> None:
    source = document(
        openrouter={"openai/gpt-5.2": entry()},
        one={"gpt-5.2": entry(), "gpt-4o": entry(status="deprecated")},
        two={"gpt-5.2": entry()},
        three={"gpt-5.2": entry(provider={"shape": "responses"})},
    )
    made, providers = rows(built(source).models, DECIDED), hosts(source)
    assert tally(made, providers, {"host"}) == Tally(2, 3, 4, 1)
    assert tally(made, providers, {"host"}, {"openai"}) == Tally(1, 2, 2, 0)
    assert tally(made, providers, {"host"}, {"bedrock"}) == Tally(0, 0, 0, 0)
    assert tally(made, providers, {"plan"}) == Tally(0, 0, 0, 0)


def test_a_price_in_the_table_is_input_and_output() -> None:
    assert (stated("1/2.5").input, stated("1/2.5").output) == (1.0, 2.5)
    with pytest.raises(CatalogError, match=r"^corrections.yaml: '1' is not a price"):
        stated("1")


def test_a_correction_is_there_once() -> None:
    row = Correction(provider="a", ids=("x", "x"), what="drop", reason="r", source="s")
    other = Correction(provider="a", ids=("x",), what="drop", reason="r", source="s")
    with pytest.raises(CatalogError, match="a: x is there twice"):
        Corrector((row, other, other))


@pytest.mark.parametrize("text_", ["a: [", "ids: 7", "unknown: {}"])
def test_a_damaged_table_is_refused_by_name(
    text_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checked.yaml").write_text(text_)
    monkeypatch.setattr(tables_module, "DATA", tmp_path)
    with pytest.raises(CatalogError, match=r"^checked.yaml: "):
        read_table("checked.yaml", Checks)


def test_the_tables_agree_with_themselves() -> None:
    names = tables().identities
    spelt = [each for spellings in names.same.values() for each in spellings]
    assert len(set(spelt)) == len(spelt)
    assert len(set(names.ids)) == len(names.ids)
    for org, author in ((org, name) for name, row in names.authors.items() for org in row.orgs):
        assert org not in names.authors, (org, author)


def test_the_shipped_file_is_what_the_writer_writes(models: tuple[ModelRow, ...]) -> None:
    assert text(models) == (DATA / "models.json").read_text()


def test_the_shipped_catalog_is_large_enough(models: tuple[ModelRow, ...]) -> None:
    providers = shipped.read_providers((DATA / "providers.yaml").read_bytes())
    hosts_ = tally(models, providers, {"host"})
    assert hosts_.models >= 400
    assert hosts_.providers >= 60
    assert hosts_.endpoints >= 1_500
    assert hosts_.choices >= 100
    callable_ = tally(models, providers, {"host"}, {"openai"})
    assert callable_.models >= 350
    assert callable_.providers >= 55
    assert callable_.endpoints >= 900


def test_the_shipped_file_stays_small() -> None:
    assert (DATA / "models.json").stat().st_size <= 2_500_000
    assert PAGE.stat().st_size <= 400_000


def test_fifty_models_were_read_by_a_person_as_they_are_now(models: tuple[ModelRow, ...]) -> None:
    ids = {model.id for model in models}
    checks = read_table("checked.yaml", Checks).checked
    assert len(checks) >= 50
    assert len({check.model.partition("/")[0] for check in checks}) >= 20
    assert all(check.model in ids for check in checks)
    assert "Changed since" not in PAGE.read_text()
