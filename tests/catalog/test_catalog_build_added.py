"""Entries that the source does not have: what becomes of them, and when its own count."""

from typing import Any

import msgspec

from dragoman.catalog.build.merge import Built, build
from dragoman.catalog.build.prices import both
from dragoman.catalog.build.read import About, read
from dragoman.catalog.build.report import report
from dragoman.catalog.build.rows import rows
from dragoman.catalog.build.tables import Added, Tables
from dragoman.catalog.shipped import EndpointRow
from tests.catalog.source import DECIDED, document, entry, hosts

SOURCE = document(acme={"other": entry(), "known-embed": entry(cost=(3, 0))})


def added(id_: str, *, search: float | None = None, **facts: Any) -> Added:
    about = msgspec.convert(entry(**facts), About)
    return Added(provider="acme", id=id_, about=about, source="a page", search=search)


def made(*table: Added) -> Built:
    decided = Tables(
        identities=DECIDED.identities, corrections=(), parameters=DECIDED.parameters, added=table
    )
    return build(read(SOURCE), hosts(SOURCE), decided)


def endpoints(found: Built) -> dict[str, EndpointRow]:
    return {each.upstream: each for row in rows(found.models, DECIDED) for each in row.endpoints}


def test_an_entry_that_was_added_is_one_like_others() -> None:
    row = endpoints(made(added("new-embed", cost=(0.12, 0))))["new-embed"]
    assert row.price is not None
    assert (row.price.prompt, row.status, row.outputs) == ("0.00000012", "active", ("embeddings",))


def test_what_reranks_is_sold_by_the_search() -> None:
    found = made(added("new-rerank", cost=None, search=0.0025))
    row = endpoints(found)["new-rerank"]
    assert row.price is not None
    assert (row.price.prompt, row.price.completion, row.price.search) == ("0", "0", "0.0025")
    assert (row.status, row.outputs) == ("active", ("rerank",))
    draft = next(each for model in found.models for each in model.drafts if each.entry.added)
    assert both(draft.price) == "2.5 per 1,000 searches"


def test_an_entry_of_the_sources_own_counts_before_one_that_was_added() -> None:
    known, new = added("known-embed", cost=(9, 0)), added("new-embed", cost=(0.12, 0))
    found = made(known, new)
    price = endpoints(found)["known-embed"].price
    assert price is not None
    assert price.prompt == "0.000003"
    assert (found.account.added, found.account.known) == ((new,), (known,))
    page = report(found.account, found.models, rows(found.models, DECIDED), hosts(SOURCE), [])
    assert "| `acme: new-embed` | a page |" in page
    assert "its own entry counts:\n\n- `acme: known-embed`" in page


def test_a_source_without_a_host_is_given_none_of_its_models() -> None:
    stranger = Added(provider="who", id="x", about=msgspec.convert(entry(), About), source="a page")
    found = made(stranger)
    assert (found.account.added, found.account.known) == ((), ())


def test_nothing_is_told_where_nothing_was_added() -> None:
    found = made()
    page = report(found.account, found.models, rows(found.models, DECIDED), hosts(SOURCE), [])
    assert "## Added" not in page
