"""Which credential is used next."""

from dragoman.catalog.hosts import Credential
from dragoman.core.secret import Secret
from dragoman.upstream.credentials import Wallet

E = "acme|acme/turbo"


def credential(name: str) -> Credential:
    return Credential(id=name, provider="acme", secret=Secret(name * 20), source=name)


ONE, TWO = credential("one"), credential("two")


def order(wallet: Wallet, now: float, endpoint: str = E) -> list[str]:
    return [each.id for each in wallet.usable("acme", endpoint, now)]


def test_a_provider_without_credentials_has_none() -> None:
    assert Wallet([ONE]).usable("other", E, 0) == []


def test_a_refused_credential_goes_behind_the_others_until_it_may_come_back() -> None:
    wallet = Wallet([ONE, TWO])
    assert wallet.refused(ONE, 0) == 300
    assert order(wallet, 299) == ["two", "one"]
    assert order(wallet, 300) == ["one", "two"]


def test_each_refusal_in_a_row_parks_longer_up_to_an_hour() -> None:
    wallet, now = Wallet([ONE, TWO]), 0.0
    for expected_s in [300.0 * n for n in range(1, 13)] + [3600.0] * 2:
        assert wallet.refused(ONE, now) == expected_s
        now += expected_s
    assert [wallet.worked(ONE), wallet.worked(ONE), wallet.worked(TWO)] == [True, False, False]
    assert wallet.refused(ONE, now) == 300


def test_who_is_refused_while_it_is_parked_is_not_parked_for_longer() -> None:
    wallet = Wallet([ONE, TWO])
    assert [wallet.refused(ONE, now) for now in (0, 0, 0, 100)] == [300, 300, 300, 200]
    assert wallet.refused(ONE, 300) == 600


def test_the_longest_wait_that_was_asked_for_counts() -> None:
    wallet = Wallet([ONE, TWO])
    wallet.limited(ONE, E, 0, 60)
    wallet.limited(ONE, E, 1, 1)
    assert order(wallet, 59) == ["two", "one"]
    assert order(wallet, 60) == ["one", "two"]


def test_a_rate_limit_concerns_one_endpoint_only() -> None:
    wallet = Wallet([ONE, TWO])
    wallet.limited(ONE, E, 0, 10)
    assert order(wallet, 5) == ["two", "one"]
    assert order(wallet, 5, "acme|acme/other") == ["one", "two"]


def test_when_all_rest_the_one_that_is_back_first_is_used() -> None:
    wallet = Wallet([ONE, TWO])
    wallet.refused(ONE, 0)
    wallet.limited(TWO, E, 0, 10)
    assert order(wallet, 5) == ["two", "one"]
    assert wallet.all_rest_s("acme", E, 5) == 5
    assert wallet.all_rest_s("acme", E, 11) == 0
    assert wallet.all_rest_s("another", E, 0) is None


def test_people_are_shown_where_a_parked_credential_came_from_and_not_its_text() -> None:
    wallet = Wallet([ONE, TWO])
    wallet.refused(TWO, 0)
    (resting,) = wallet.parked(100)
    assert (resting.source, resting.for_s) == ("two", 200)
    assert "twotwo" not in repr(resting)
