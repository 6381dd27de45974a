"""What each action of the table of corrections does to an entry, and what is told of it."""

from typing import Any

import pytest

from dragoman.catalog.build.corrections import Corrector, stated
from dragoman.catalog.build.merge import APART, Draft
from dragoman.catalog.build.prices import both
from dragoman.catalog.build.read import Entry, read
from dragoman.catalog.build.report import report
from dragoman.catalog.build.rows import rows
from dragoman.catalog.build.tables import Correction, What
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.shipped import EndpointRow
from tests.catalog.source import DECIDED, built, document, entry, hosts

ID = "gpt-5.2"
PLACE = f"acme: {ID}"
BESIDE = {"one": {ID: entry(cost=(1, 2))}, "two": {ID: entry(cost=(1.1, 2.2))}}


def correction(what: What, **fields: Any) -> Correction:
    base = {"provider": "acme", "ids": (ID,), "reason": "because", "source": "a page"}
    return Correction(what=what, **{**base, **fields})


def only(**facts: Any) -> Entry:
    (one,) = read(document(acme={ID: entry(**facts)})).entries
    return one


def endpoint(*corrections: Correction, **facts: Any) -> EndpointRow:
    """Return the row of acme's only endpoint, with these corrections."""
    (row,) = rows(built(document(acme={ID: entry(**facts)}), *corrections).models, DECIDED)
    return row.endpoints[0]


def drafts(raw: dict[str, Any], *corrections: Correction) -> dict[str, Draft]:
    """Return the endpoints of one model at acme, where it is `raw`, and two that agree."""
    (model,) = built(document(acme={ID: raw}, **BESIDE), *corrections).models
    return {draft.provider.slug: draft for draft in model.drafts}


@pytest.mark.parametrize(
    ("row", "cost", "expected"),
    [
        (None, (3, 4), "3/4"),
        (correction("price"), (3, 4), "unknown"),
        (correction("price", new="5/6"), (3, 4), "5/6"),
        (correction("price", new="0.0575/0.23"), None, "0.0575/0.23"),
        (correction("price", new="5/6"), {"input": 1, "output": 2, "cache_read": 0.1}, "5/6"),
        (correction("keep"), (3, 4), "3/4"),
        (correction("inactive"), (3, 4), "3/4"),
        (correction("modalities", outputs=("embeddings",)), (3, 0), "3/0"),
    ],
)
def test_what_an_entry_costs_then(row: Correction | None, cost: Any, expected: str) -> None:
    source = document(acme={ID: entry(cost=cost)})
    (model,) = built(source, *([row] if row else [])).models
    (draft,) = model.drafts
    assert both(draft.price) == expected
    if row is not None and row.what == "price" and draft.price:
        assert draft.price.cache_read is None


@pytest.mark.parametrize(
    ("row", "member", "expected"),
    [
        (correction("inactive"), "status", "inactive"),
        (correction("price"), "status", "active"),
        (correction("free"), "free", True),
        (correction("free"), "price", None),
        (correction("modalities", inputs=("text", "file")), "inputs", ("text", "file")),
        (correction("modalities", inputs=("text", "file")), "outputs", ("text",)),
        (correction("modalities", outputs=("image",)), "outputs", ("image",)),
        (correction("modalities", outputs=("rerank",)), "outputs", ("rerank",)),
        (correction("modalities", outputs=("rerank",)), "status", "inactive"),
        (correction("modalities", outputs=("rerank",)), "inputs", ("text",)),
    ],
)
def test_what_an_endpoint_is_then(row: Correction, member: str, expected: Any) -> None:
    assert getattr(endpoint(row), member) == expected


def test_the_price_of_a_marked_cache_is_left_to_the_hosts_row() -> None:
    tier = {"tier": {"size": 1000}, "input": 2, "output": 4, "cache_read": 0.2}
    cost = {"input": 1, "output": 2, "cache_read": 0.1, "cache_write": 1.25, "tiers": [tier]}
    price = endpoint(correction("marked"), cost=cost).price
    assert price is not None
    assert (price.cache_read, price.cache_write) == (None, "0.00000125")
    assert price.tiers[0].cache_read is None
    assert endpoint(correction("marked"), cost=None).price is None


def test_a_dropped_entry_makes_no_endpoint_and_is_told_with_the_reason() -> None:
    found = built(document(acme={ID: entry(), "other": entry()}), correction("drop"))
    assert [draft.entry.id for model in found.models for draft in model.drafts] == ["other"]
    assert found.account.dropped == ((PLACE, "because"),)


def test_a_price_that_stands_alone_is_kept_where_the_table_says_why() -> None:
    alone = entry(cost=(70, 140))
    assert drafts(alone)["acme"].price is None
    assert drafts(alone)["acme"].unpriced == APART
    kept = drafts(alone, correction("keep"))["acme"]
    assert (both(kept.price), kept.unpriced) == ("70/140", "")
    assert drafts(alone, correction("price", new="1/2"))["acme"].price is not None


def test_keep_is_told_of_a_finding_of_spread_alone() -> None:
    near = built(document(acme={ID: entry(cost=(1, 2))}, **BESIDE), correction("keep"))
    assert near.account.conflicts == ()
    far = built(document(acme={ID: entry(cost=(70, 140))}, **BESIDE), correction("keep"))
    (conflict,) = far.account.conflicts
    assert conflict.decided == ((PLACE, "70/140", "kept: because"),)
    assert {why for _, _, why in conflict.prices} == {"kept", "kept: because"}
    assert conflict.rejected == frozenset()


def test_what_is_not_believed_is_told_with_what_the_source_says() -> None:
    sound = {"input": ["audio"], "output": ["text"]}
    source = document(
        acme={
            ID: entry(cost=(3, 4)),
            "half": entry(cost=(3, 0)),
            "minutes": entry(cost=(3, 4), modalities=sound),
            "nothing": entry(cost=(0, 0)),
        }
    )
    told = built(source, correction("price")).account.unpriced
    assert [(place, cost.input, why) for place, cost, why in told] == [
        (PLACE, 3, "because"),
        ("acme: half", 3, "half a price: reading or writing is told to cost nothing"),
        ("acme: minutes", 3, "a transcription is sold by the minute"),
    ]


def test_nothing_is_changed_that_is_not_named() -> None:
    corrector = Corrector((correction("drop"), correction("price", provider="other")))
    (one,) = read(document(acme={"gpt-5.3": entry()})).entries
    corrected = corrector.correct(one)
    assert corrected.entry == one
    assert (corrected.dropped, corrected.keep, corrected.free) == ("", "", False)


def test_an_entry_named_twice_in_a_row_is_corrected_once() -> None:
    row = correction("price", ids=(ID, ID))
    assert Corrector((row,)).account([only()]) == (((row, PLACE),), ())


def test_what_is_applied_is_told_in_the_order_of_the_table_and_what_is_missing_too() -> None:
    price, drop = correction("price"), correction("drop", ids=("z", ID, "gone"))
    applied, unused = Corrector((price, drop)).account([only()])
    assert applied == ((price, PLACE), (drop, PLACE))
    assert [(row.what, row.ids) for row in unused] == [("drop", ("gone", "z"))]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (correction("price", old="9/9"), "| price | 9/9 | unknown | because | a page |"),
        (correction("price", new="1/2"), "| price |  | 1/2 | because | a page |"),
        (
            correction("modalities", inputs=("text", "image"), outputs=("text",)),
            "| modalities |  | text, image in; text out | because | a page |",
        ),
        (correction("keep"), "| keep |  |  | because | a page |"),
    ],
)
def test_the_page_says_what_is_done_instead(row: Correction, line: str) -> None:
    source = document(acme={ID: entry()})
    found = built(source, row)
    made = rows(found.models, DECIDED)
    page = report(found.account, found.models, made, hosts(source), [])
    assert f"| `{PLACE}` {line}" in page.splitlines()


def test_one_entry_can_have_one_correction_of_each_kind() -> None:
    rows_ = (correction("price", new="1/2"), correction("inactive"))
    corrected = Corrector(rows_).correct(only())
    assert corrected.inactive
    assert corrected.entry.about.cost == stated("1/2")
    with pytest.raises(CatalogError, match=r"acme: gpt-5\.2 is there twice"):
        Corrector((*rows_, correction("inactive", reason="again")))


@pytest.mark.parametrize("text", ["", "1", "1/2/3", "a/b", "nan/1", "-1/2", "1/99999"])
def test_what_is_no_price_is_refused_by_name(text: str) -> None:
    with pytest.raises(CatalogError, match=r"^corrections.yaml: '.*' is not a price"):
        stated(text)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("aggregator", "an aggregator: "),
        ("local", "a server of one's own: "),
        ("demo", "a demo: "),
    ],
)
def test_a_provider_whose_models_are_not_shipped_is_told_with_its_kind(
    kind: Any, reason: str
) -> None:
    source = document(acme={ID: entry()})
    account = built(source, kind=kind).account
    ((place, why),) = account.dropped
    assert place == PLACE
    assert why.startswith(reason)
