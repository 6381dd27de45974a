"""`dragoman credits` and `dragoman ledger verify`: what they print, and how they fail."""

from pathlib import Path

import pytest
from sqlalchemy import text

from dragoman.office.premises import open_premises
from tests.cli.command import run


@pytest.fixture(autouse=True)
def _gateway() -> None:
    run("keys", "create", "laptop")


def test_an_account_is_opened_with_the_free_credit_of_the_settings(tmp_path: Path) -> None:
    assert run("credits", "open", "Acme", "--json").json["free_usd"] == 1.0
    (tmp_path / "dragoman.yaml").write_text("accounts: {free_credit: 0}")
    made = run("credits", "open", "Umbrella", "--json").json
    assert (made["kind"], made["free_usd"], made["name"]) == ("prepaid", 0.0, "Umbrella")
    ran = run("credits", "open", "Soylent")
    assert ran.out.startswith("acct_")
    assert "'Soylent' is prepaid and begins with $0.000000." in ran.err
    assert f"--account {ran.out.strip()}" in ran.err
    by_name = run("keys", "create", "app", "--account", "Soylent")
    assert (by_name.code, by_name.out) == (1, "")
    assert "Accounts go by their ids. They are listed by: dragoman credits show" in by_name.err


def test_credit_is_added_refunded_and_shown() -> None:
    id_ = run("credits", "open", "Acme", "--json").json["account"]
    added = run("credits", "add", "25", "--account", id_, "--reference", "inv-1", "--json").json
    assert (added["amount_usd"], added["repeated"]) == (25.0, False)
    again = run("credits", "add", "25", "--account", id_, "--reference", "inv-1")
    assert (again.code, "nothing changed" in again.err) == (0, True)
    back = run("credits", "refund", "5.5", "--account", id_)
    assert "Refunded $5.500000, reference by-hand:" in back.out
    assert f"The balance of {id_} is $20.500000." in back.out
    (shown,) = run("credits", "show", id_, "--json").json
    assert (shown["credits_usd"], shown["usage_usd"], shown["free_usd"]) == (20.5, 0.0, 20.5)


def test_all_accounts_are_shown_with_what_limits_them() -> None:
    run("credits", "add", "2", "--grant")
    ran = run("credits", "show")
    assert ran.code == 0
    assert "default" in ran.out
    assert "no limit" in ran.out
    assert "$2.000000" in ran.out


@pytest.mark.parametrize("amount", ["0", "-1", "1e9", "nan", "0.0000000001", "much", "1,5"])
def test_an_amount_that_cannot_be_is_wrong_usage(amount: str) -> None:
    ran = run("credits", "add", "--", amount)
    assert (ran.code, ran.out) == (2, "")
    assert "USD" in ran.err


def test_refunds_end_with_what_is_there() -> None:
    ran = run("credits", "refund", "1")
    assert ran.code == 2
    assert "cannot be paid back" in ran.err


def test_an_unknown_account_is_a_failure() -> None:
    assert run("credits", "show", "acct_none").code == 1


@pytest.mark.parametrize("command", [("credits", "show"), ("ledger", "verify")])
def test_nothing_is_made_where_there_is_no_gateway(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    ran = run(*command, "--data", str(tmp_path / "none"))
    assert (ran.code, ran.out) == (2, "")
    assert not (tmp_path / "none").exists()


def test_books_that_add_up_are_said_to() -> None:
    run("credits", "add", "2")
    ran = run("ledger", "verify")
    assert (ran.code, ran.err) == (0, "")
    assert "The books add up: 6 accounts, 1 entries" in ran.out
    assert run("ledger", "verify", "--json").json["holds"] is True


def test_every_violation_is_named_and_the_command_fails(data: Path) -> None:
    premises = open_premises(data)
    tampering = text("UPDATE account SET balance_nanos = 3 WHERE id = 'default'")
    premises.ledger.run_now(lambda connection: connection.execute(tampering))
    premises.close()
    ran = run("ledger", "verify")
    assert ran.code == 1
    assert "balances sum to zero" in ran.out
    assert "balances are their entries" in ran.out
    found = run("ledger", "verify", "--json")
    assert found.code == 1
    assert {each["subject"] for each in found.json["violations"]} == {"all accounts", "default"}


def test_a_fee_is_set_and_shown() -> None:
    ran = run("credits", "fee", "default", "50000")
    assert (ran.code, ran.out) == (0, "default pays 5 % on top of the cost.\n")
    assert run("credits", "fee", "default", "0", "--json").json["fee_ppm"] == 0
    assert run("credits", "fee", "default", "1000001").code == 2
    assert "account.update" in run("audit").out


def test_what_users_of_an_accounts_keys_may_spend_is_set_and_shown() -> None:
    ran = run("credits", "user-limit", "default", "5", "--reset", "monthly")
    assert (ran.code, ran.out) == (0, "Each user of a key of default may spend $5 monthly.\n")
    (shown,) = run("credits", "show", "--json").json
    assert (shown["user_limit_usd"], shown["user_limit_reset"]) == (5, "monthly")
    cleared = run("credits", "user-limit", "default", "none", "--json").json
    assert (cleared["user_limit_usd"], cleared["user_limit_reset"]) == (None, None)
    assert run("credits", "user-limit", "house:cash", "5").code == 2
    assert run("credits", "user-limit", "acct_none", "5").code == 1
    assert "user_limit_nanos" in run("audit", "--json").out
