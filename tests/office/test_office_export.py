"""Exports of generations: written a few rows at a time, and none is left out."""

import asyncio
import json
from typing import cast

import pytest
from msgspec.structs import replace

from dragoman.core.money import NanoUsd
from dragoman.office import export
from dragoman.office.export import COLUMNS, Form, exported, record
from dragoman.records.reader import Reader, Wanted
from dragoman.records.types import Generation
from tests.records.samples import PLAIN


class Records:
    """One page of generations."""

    def __init__(self, count: int) -> None:
        self.page = tuple(replace(PLAIN, id=f"gen-{n}") for n in range(count))

    async def after(self, *_: object) -> tuple[Generation, ...]:
        page, self.page = self.page, ()
        return page


def test_a_row_says_what_the_provider_bills_the_account_itself() -> None:
    own = replace(PLAIN, is_byok=True, byok_nanos=NanoUsd(2_500_000), fee_ppm=50_000)
    row = dict(zip(COLUMNS, record(own), strict=True))
    assert (row["is_byok"], row["byok_cost_usd"], row["fee_ppm"]) == (True, 0.0025, 50_000)
    row = dict(zip(COLUMNS, record(PLAIN), strict=True))
    assert (row["is_byok"], row["byok_cost_usd"]) == (False, 0.0)


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_a_page_is_written_in_parts_and_others_have_their_turns(
    monkeypatch: pytest.MonkeyPatch, form: Form
) -> None:
    monkeypatch.setattr(export, "AT_ONCE", 2)
    turns = [0]

    async def others() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    found = [piece async for piece in exported(cast("Reader", Records(5)), Wanted(), form)]
    busy.cancel()
    rows = found[1:] if form == "csv" else found
    assert [piece.count(b"\n") for piece in rows] == [2, 2, 1]
    assert turns[0] >= 3
    if form == "json":
        ids = [json.loads(line)["id"] for piece in rows for line in piece.splitlines()]
        assert ids == [f"gen-{n}" for n in range(5)]
