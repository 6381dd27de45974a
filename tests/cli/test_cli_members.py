"""`dragoman members`: what it prints, and how it fails."""

import pytest

from tests.cli.command import run


@pytest.fixture(autouse=True)
def _gateway() -> None:
    run("keys", "create", "laptop")


def test_members_are_added_listed_and_removed() -> None:
    assert "none are needed" in run("members", "list").err
    added = run("members", "add", "Bob@Example.com", "--role", "admin", "--limit", "5")
    assert (added.code, added.out.startswith("user_")) == (0, True)
    assert "bob@example.com) is admin of default" in added.err.lower()
    ran = run("members", "list")
    assert "bob@example.com" in ran.out
    assert "$5" in ran.out
    (row,) = run("members", "list", "--json").json
    assert (row["name"], row["member_role"], row["role"]) == ("Bob", "admin", "org:admin")
    key = run("keys", "create", "app", "--member", "bob@example.com", "--json").json["hash"]
    assert run("members", "remove", "bob@example.com").code == 0
    states = {each["hash"]: each["state"] for each in run("keys", "list", "--json").json}
    assert states[key] == "disabled"
    assert run("members", "remove", "bob@example.com").code == 1
    actions = [each["action"] for each in run("audit", "--json").json]
    assert actions.count("member.create") == actions.count("member.delete") == 1


def test_a_budget_is_changed() -> None:
    id_ = run("members", "add", "bob@example.com", "--json").json["id"]
    ran = run("members", "budget", id_, "2.5", "--reset", "daily")
    assert (ran.code, "bob may spend $2.5 daily." in ran.out) == (0, True)
    shown = run("members", "budget", "bob@example.com", "none", "--json").json
    assert (shown["limit"], shown["limit_reset"]) == (None, None)


@pytest.mark.parametrize("amount", ["-1", "much", "nan", "inf", "1e-12"])
def test_a_budget_that_cannot_be_is_wrong_usage(amount: str) -> None:
    run("members", "add", "bob@example.com")
    assert run("members", "budget", "bob@example.com", "--", amount).code == 2


def test_who_is_no_member_gets_no_key() -> None:
    assert run("keys", "create", "app", "--member", "nobody@example.com").code == 1
    assert run("members", "add", "nobody").code == 2
    assert run("members", "add", "a@example.com", "--account", "acct_none").code == 1
