"""Usage beyond its bound is told the house with the booking itself: once a day for an endpoint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.ledger.acts import Final
from dragoman.ledger.alert_tables import alert_delivery
from dragoman.ledger.types import Draw
from dragoman.office.alarms import House
from dragoman.office.alert_options import HouseOptions
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.office.premises import Premises, open_premises
from dragoman.records import lines
from dragoman.store.options import DatabaseOptions
from tests.office.test_office_bookkeeper import PURSE, Desk
from tests.records.samples import PLAIN

HOUSE = HouseOptions(
    webhooks=("https://hooks.example.com/",), secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)
DAY_S = 86_400.0


@pytest.fixture
def premises(tmp_path: Path, furnished: DatabaseOptions) -> Iterator[Premises]:
    opened = open_premises(tmp_path / "data", furnished)
    yield opened
    opened.close()


class Listening(Desk):
    """A desk whose house is told, at a time that a test sets."""

    house = HOUSE
    now = 1.8e9

    def restart(self) -> None:
        self.keeper = Bookkeeper(
            self.ledger,  # type: ignore[arg-type]
            self.records,  # type: ignore[arg-type]
            "node",
            Clock(wall=lambda: self.now),
            House(self.house, "node"),
        )

    @property
    def told(self) -> list[Any]:
        query = select(alert_delivery.c.body).order_by(alert_delivery.c.created_at)
        rows = self.premises.ledger.run_now(lambda c: list(c.execute(query).scalars()))
        return [msgspec.json.decode(row) for row in rows]


def over(id_: str, endpoint: str = "acme/turbo@acme", *, purse: bool = False) -> Final[lines.Line]:
    """Return the end of a request that cost 300, and 50 of it were not held."""
    made = msgspec.structs.replace(PLAIN, id=id_, endpoint=endpoint)
    record = lines.line(made)
    if purse:
        draw = Draw(PURSE.id, NanoUsd(300), beyond=NanoUsd(50))
        return Final(id_, "default", NanoUsd(300), NanoUsd(0), (draw,), record)
    paid, beyond = NanoUsd(250), NanoUsd(50)
    return Final(id_, "default", paid, beyond, (Draw(PURSE.id, paid),), record)


@pytest.mark.parametrize("purse", [False, True], ids=["house", "account"])
async def test_the_house_is_told_who_bears_it(premises: Premises, *, purse: bool) -> None:
    desk = Listening(premises)
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(over("a", purse=purse), over("b", purse=purse)))
    (message,) = desk.told
    assert message["type"] == "house.overrun"
    assert message["data"] == {
        "node": "node",
        "endpoint": "acme/turbo@acme",
        "generation": "a",
        "amount": 1e-07,
        "charged_to": "account" if purse else "house",
    }
    desk.assert_proved()


async def test_each_endpoint_is_told_of_once_a_day(premises: Premises) -> None:
    desk = Listening(premises)
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(over("a"), over("b", "other")))
    await desk.keeper.apply(desk.write(over("c")))
    assert sorted(each["data"]["generation"] for each in desk.told) == ["a", "b"]
    desk.now += DAY_S
    await desk.keeper.apply(desk.write(over("d")))
    assert [each["data"]["generation"] for each in desk.told][-1] == "d"


@pytest.mark.parametrize("trouble", ["before", "after"])
@pytest.mark.parametrize("restarts", [False, True], ids=["lives", "restarts"])
async def test_it_is_told_with_the_booking_or_not_at_all(
    premises: Premises, trouble: str, *, restarts: bool
) -> None:
    desk = Listening(premises)
    await desk.open(10_000)
    batch = desk.write(over("a"))
    desk.ledger.trouble = trouble
    with pytest.raises(Unavailable):
        await desk.keeper.apply(batch)
    assert len(desk.told) == (trouble == "after")
    if restarts:
        desk.restart()
        await desk.read_on()
    else:
        await desk.keeper.apply(batch)
    assert len(desk.told) == 1
    desk.assert_proved()


async def test_a_house_without_destinations_is_not_told(premises: Premises) -> None:
    desk = Listening(premises)
    desk.house = HouseOptions()
    desk.restart()
    await desk.open(10_000)
    await desk.keeper.apply(desk.write(over("a")))
    assert desk.told == []
