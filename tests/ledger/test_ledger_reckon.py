"""From what a provider said to what is charged: belief, price, service tier and fee together."""

from dragoman.catalog import tariff
from dragoman.catalog.types import Endpoint, Price, Provider, Rate
from dragoman.core.money import PicoUsd
from dragoman.ledger.belief import Seen
from dragoman.ledger.reckon import Reckoning, Terms, reckon
from dragoman.wire.usage import Usage

HOST = Provider(slug="acme", name="Acme", dialect="openai", base_url="https://acme")
PRICE = Price(
    prompt=PicoUsd(1_000_000), completion=PicoUsd(2_000_000), rates=(Rate("flex", 500_000),)
)
PLAIN = Terms()
SEEN = Seen(prompt_most=2000, text_bytes=400, produced_bytes=90, elapsed_s=1.0)


def reckoned(said: Usage | None, terms: Terms = PLAIN, price: Price | None = PRICE) -> Reckoning:
    endpoint = Endpoint(
        id="e", model="a/m", provider="acme", provider_name="A", tag="acme", upstream="m",
        price=price,
    )  # fmt: skip
    return reckon(said, SEEN, endpoint, HOST, terms)


def test_an_answer_is_owed_at_its_price_which_is_named() -> None:
    found = reckoned(Usage(prompt=100, completion=50))
    assert found.cost is not None
    assert (found.cost.total, found.owed) == (200_000, 200_000)
    assert (found.price_id, found.notes) == (tariff.version(PRICE), ())


def test_the_fee_is_upon_the_rate_of_the_tier_and_rounded_up() -> None:
    found = reckoned(Usage(prompt=1, completion=1), Terms("flex", 50_001))
    assert found.cost is not None
    assert (found.cost.total, found.owed) == (1500, 1576)


def test_an_unknown_price_makes_nothing_owed() -> None:
    found = reckoned(Usage(prompt=1, completion=1), Terms(fee_ppm=50_000), price=None)
    assert (found.cost, found.owed, found.price_id) == (None, 0, None)


def test_what_is_not_believed_is_charged_as_believed_and_noted() -> None:
    found = reckoned(Usage(prompt=10**9, completion=1))
    assert (found.usage.prompt, found.owed) == (2000, 2_002_000)
    assert [note.field for note in found.notes] == ["usage.prompt"]
    assert reckoned(None).usage.source == "estimated"
