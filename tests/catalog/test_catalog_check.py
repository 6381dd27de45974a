"""A catalog that is offered is taken whole or not at all."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.catalog import shipped
from dragoman.catalog.assemble import Shipped
from dragoman.catalog.changes import endpoints
from dragoman.catalog.check import MOST_PROBLEMS, Checked, check
from dragoman.catalog.errors import CatalogError
from tests.catalog.corruptions import CORRUPTIONS, GOOD, NAMES, Corruption


@pytest.fixture(scope="module")
def package() -> Shipped:
    return shipped.load()


def read(text: str | bytes, package: Shipped, previous: Shipped | None = None) -> Checked:
    text = text if isinstance(text, bytes) else text.encode()
    return check(text, package.providers, previous or package)


def test_a_good_catalog_is_read_whole(package: Shipped) -> None:
    checked = read(GOOD, package)
    assert checked.problems == ()
    assert [model.id for model in checked.models] == ["acme/one", "acme/two"]
    assert [each.id for each in endpoints(checked.models)] == [
        "groq|acme/one",
        "groq/fast|acme/one",
        "deepinfra|acme/two",
        "groq|acme/two:free",
    ]
    assert checked.renamed["acme/null"].target == "acme/zero"
    upcoming = checked.models[1].endpoints[0].upcoming
    assert [(dated.since, dated.price is None) for dated in upcoming] == [
        (1924992000, False),
        (1956528000, True),
    ]


def test_the_shorter_form_is_the_list_of_models_alone(package: Shipped) -> None:
    models = msgspec.json.decode(GOOD)["models"]
    assert read(msgspec.json.encode(models), package).models == read(GOOD, package).models


def test_the_catalog_of_the_package_is_sound_and_changes_nothing(package: Shipped) -> None:
    checked = read((shipped.DATA / "models.json").read_bytes(), package)
    assert (checked.problems, checked.holds) == ((), ())
    assert set(checked.models) <= set(package.models)


def test_without_a_catalog_to_compare_with_nothing_waits(package: Shipped) -> None:
    rows = json.loads((shipped.DATA / "models.json").read_bytes())
    priced = next(each for row in rows for each in row["endpoints"] if each.get("price"))
    priced["price"] = {"prompt": "0.009", "completion": "0.009"}
    assert len(read(json.dumps(rows), package).holds) == 1
    assert check(json.dumps(rows).encode(), package.providers, None).holds == ()


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=NAMES)
def test_a_corrupted_catalog_is_refused_with_the_line_and_the_reason(
    corruption: Corruption, package: Shipped
) -> None:
    checked = read(corruption.make(), package)
    assert (checked.models, checked.renamed, checked.holds) == ((), {}, ())
    first = checked.problems[0]
    assert (first.line, corruption.reason in first.reason) == (corruption.line, True), str(first)


def test_there_are_more_than_forty_kinds_of_corruption() -> None:
    assert len({each.name for each in CORRUPTIONS}) == len(CORRUPTIONS) > 40


def test_everything_that_is_wrong_is_told_at_once(package: Shipped) -> None:
    text = GOOD.replace('"context": 128000', '"context": 0').replace("deepinfra", "nobody")
    assert [str(problem) for problem in read(text, package).problems] == [
        "line 5: acme/one at groq: context: 0 is not a number of tokens from 1 to 1,000,000,000",
        "line 23: acme/two at nobody: provider: 'nobody' is no provider that is known",
    ]


def test_what_is_wrong_with_the_file_itself_has_no_place(package: Shipped) -> None:
    assert str(read("[]", package).problems[0]) == "line 1: holds no model"


def test_a_file_that_is_all_wrong_is_not_told_about_in_full(package: Shipped) -> None:
    rows = [{"provider": "nobody", "upstream": f"m{number}"} for number in range(200)]
    file = [{"id": "a/b", "name": "B", "created": 1, "endpoints": rows}]
    assert len(read(msgspec.json.encode(file), package).problems) == MOST_PROBLEMS


def test_a_name_that_leads_to_a_name_of_before_is_followed(package: Shipped) -> None:
    checked = read(GOOD, package)
    before = msgspec.structs.replace(
        package, models=checked.models, renamed={"old/name": checked.renamed["acme/zero"]}
    )
    text = '{"renamed": {"a/b": {"to": "old/name", "dated": "2026-01", "reason": "so"}}}'
    assert read(text, package, before).problems == ()
    assert "which is no model" in read(text, package).problems[0].reason


def test_a_price_that_moved_more_than_fivefold_waits(package: Shipped) -> None:
    before = msgspec.structs.replace(package, models=read(GOOD, package).models)
    dear = GOOD.replace('"prompt": "0.0000025"', '"prompt": "0.000025"')
    (hold,) = read(dear, package, before).holds
    assert (hold.endpoint, hold.unit, hold.times) == ("groq|acme/one", "prompt", 10.0)
    fair = GOOD.replace('"prompt": "0.0000025"', '"prompt": "0.0000125"')
    assert read(fair, package, before).holds == ()


def test_what_cannot_be_made_a_catalog_of_is_refused_too(
    package: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise CatalogError("acme/one", "is odd")

    monkeypatch.setattr("dragoman.catalog.check.models_of", refuses)
    assert str(read(GOOD, package).problems[0]) == "line 1: acme/one: is odd"


@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
@example(b'{"":', 729)
def test_no_bytes_make_it_fail(noise: bytes, at: int) -> None:
    text = GOOD.encode()
    for torn in (noise, text[:at] + noise, text[:at] + noise + text[at:]):
        checked = check(torn, {}, None)
        assert checked.problems
        assert all(problem.line >= 1 and problem.reason for problem in checked.problems)
