"""`dragoman keys`: what is printed for people and for programs, and how it fails."""

import re
import time
from pathlib import Path

import pytest

from dragoman.access.types import Grant
from dragoman.core.ids import is_key, key_hash
from dragoman.core.money import NanoUsd
from dragoman.office import keys
from dragoman.office.premises import open_premises
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from tests.cli.command import run


def test_a_new_key_is_one_json_object() -> None:
    ran = run("keys", "create", "laptop", "--json")
    assert ran.code == 0
    made = ran.json
    assert is_key(made["key"], "sk-dm-v1-")
    assert made["hash"] == key_hash(made["key"])
    assert made["name"] == "laptop"
    assert made["label"].startswith("sk-dm-v1-")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])


def test_people_get_the_key_alone_on_stdout_and_a_remark_beside_it() -> None:
    ran = run("keys", "create", "laptop")
    assert is_key(ran.out.strip(), "sk-dm-v1-")
    assert "shown this once" in ran.err


def test_a_key_begins_as_the_settings_say(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("access: {key_prefix: acme-}")
    assert run("keys", "create", "laptop", "--json").json["key"].startswith("acme-")


def test_the_data_directory_may_be_named(tmp_path: Path) -> None:
    run("keys", "create", "there", "--data", str(tmp_path / "other"))
    listed = run("keys", "list", "--json", "--data", str(tmp_path / "other")).json
    assert [key["name"] for key in listed] == ["there"]
    assert run("keys", "list").code == 2


def test_a_limit_is_set_changed_and_shown() -> None:
    run("keys", "create", "laptop", "--limit", "5", "--reset", "daily")
    (made,) = run("keys", "list", "--json").json
    assert (made["limit_usd"], made["limit_reset"], made["account"]) == (5.0, "daily", "default")
    assert "$5 daily" in run("keys", "list").out
    assert "may spend $0.5" in run("keys", "limit", "laptop", "0.50").out
    assert run("keys", "limit", "laptop", "0", "--json").json["limit_usd"] == 0.0
    assert "without a limit" in run("keys", "limit", "laptop", "none").out


@pytest.mark.parametrize("limit", ["-1", "much", "1e9", "0.0000000001", "inf"])
def test_a_limit_that_cannot_be_is_wrong_usage(limit: str) -> None:
    run("keys", "create", "laptop")
    ran = run("keys", "limit", "--", "laptop", limit)
    assert (ran.code, ran.out) == (2, "")
    assert "is not an amount" in ran.err or "finer" in ran.err


def test_what_each_user_of_a_key_may_spend_is_set_and_cleared() -> None:
    run("keys", "create", "app", "--limit", "20", "--user-limit", "2", "--user-reset", "weekly")
    (key,) = run("keys", "list", "--json").json
    assert (key["user_limit_usd"], key["user_limit_reset"]) == (2, "weekly")
    ran = run("keys", "limit", "app", "--user-limit", "5", "--user-reset", "monthly")
    assert ran.out.endswith("may spend $20, each of its users $5 monthly.\n")
    key = run("keys", "limit", "app", "--user-limit", "none", "--json").json
    assert (key["limit_usd"], key["user_limit_usd"], key["user_limit_reset"]) == (20, None, None)
    key = run("keys", "limit", "app", "--include-byok", "--json").json
    assert (key["limit_usd"], key["include_byok_in_limit"]) == (20, True)
    assert run("keys", "limit", "app", "--no-byok", "--json").json["include_byok_in_limit"] is False


@pytest.mark.parametrize("options", [(), ("--user-reset", "daily"), ("--user-limit", "much")])
def test_a_limit_has_to_be_one(options: tuple[str, ...]) -> None:
    run("keys", "create", "app")
    assert run("keys", "limit", "app", *options).code == 2


def test_a_key_has_an_account_that_exists() -> None:
    assert run("keys", "create", "a", "--account", "acct_none").code == 1
    assert "house" in run("keys", "create", "a", "--account", "house:cash").err
    made = run("credits", "open", "Acme", "--json").json["account"]
    run("keys", "create", "a", "--account", made)
    (key,) = run("keys", "list", "--json").json
    assert key["account"] == made


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "tab\there"])
def test_a_name_that_cannot_be_is_wrong_usage(name: str) -> None:
    ran = run("keys", "create", name)
    assert ran.code == 2
    assert "printable characters" in ran.err


def test_the_list_shows_state_and_leaves_out_revoked_keys() -> None:
    for name in ("good", "off", "gone"):
        run("keys", "create", name)
    run("keys", "disable", "off")
    run("keys", "revoke", "gone")
    states = {key["name"]: key["state"] for key in run("keys", "list", "--json").json}
    assert states == {"good": "active", "off": "disabled"}
    states = {key["name"]: key["state"] for key in run("keys", "list", "--all", "--json").json}
    assert states == {"good": "active", "off": "disabled", "gone": "revoked"}
    assert "good" in run("keys", "list").out


def test_the_list_says_what_a_key_has_spent(data: Path) -> None:
    made = run("keys", "create", "busy", "--json").json
    premises = open_premises(data)
    spent = Generation(
        id="gen-1",
        created_at=time.time(),
        key_hash=made["hash"],
        requested="demo/parrot",
        model="demo/parrot",
        provider="demo-swift",
        provider_name="Demo Swift",
        endpoint="demo-swift|demo/parrot",
        cost_nanos=NanoUsd(1_500_000_000),
    )
    premises.records.run_now(lambda connection: store(connection, [spent]))
    premises.close()
    assert run("keys", "list", "--json").json[0]["spent_usd"] == 1.5
    assert "$1.500000" in run("keys", "list").out


def test_an_empty_list_tells_how_to_make_a_key() -> None:
    run("keys", "create", "gone")
    run("keys", "revoke", "gone")
    ran = run("keys", "list")
    assert (ran.code, ran.out) == (0, "")
    assert "dragoman keys create" in ran.err


def test_a_key_is_found_by_name_hash_label_and_text() -> None:
    made = run("keys", "create", "laptop", "--json").json
    for wanted in ("laptop", made["hash"][:8], made["label"], made["key"]):
        assert run("keys", "disable", wanted, "--json").json["state"] == "disabled"
        assert run("keys", "enable", wanted, "--json").json["state"] == "active"
    assert run("keys", "revoke", "laptop").out.endswith("is revoked.\n")


def test_an_unknown_key_is_a_failure_and_an_ambiguous_one_wrong_usage() -> None:
    run("keys", "create", "twin")
    run("keys", "create", "twin")
    assert run("keys", "disable", "nobody").code == 1
    ran = run("keys", "disable", "twin")
    assert ran.code == 2
    assert "2 keys" in ran.err


@pytest.mark.parametrize("command", [("list",), ("disable", "x"), ("enable", "x"), ("revoke", "x")])
def test_nothing_is_made_where_there_is_no_gateway(command: tuple[str, ...], data: Path) -> None:
    ran = run("keys", *command, "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "dragoman keys create NAME" in ran.err
    assert not data.exists()


def test_a_list_without_keys_says_whether_there_were_any() -> None:
    run("keys", "create", "one")
    run("keys", "revoke", "one")
    ran = run("keys", "list")
    assert "All keys are revoked; --all lists them." in ran.err
    assert "one" in run("keys", "list", "--all").out


def test_a_key_may_be_bound_when_it_is_made() -> None:
    run(
        *("keys", "create", "bound", "--expires", "2127-01-01T00:00:00Z", "--rpm", "5"),
        *("--tpm", "1000", "--concurrency", "2"),
        *("--allow-model", "Demo/Parrot", "--allow-provider", "Demo Swift"),
    )
    (shown,) = run("keys", "list", "--json").json
    assert shown["kind"] == "inference"
    assert shown["expires_at"] == "2127-01-01T00:00:00Z"
    assert shown["allowed_models"] == ["demo/parrot"]
    assert shown["allowed_providers"] == ["demo-swift"]
    assert (shown["rpm"], shown["tpm"], shown["concurrency"]) == (5, 1000, 2)


def test_the_first_management_key_is_made_here() -> None:
    assert run("keys", "create", "boss", "--management", "--json").json["kind"] == "management"
    assert "management" in run("keys", "list").out


def test_a_key_that_has_expired_is_listed_as_such(data: Path) -> None:
    run("keys", "create", "first")
    premises = open_premises(data)
    work = keys.create(
        "old", prefix="sk-", pepper=premises.pepper, now=0.0, grant=Grant(expires_at=1.0)
    )
    premises.ledger.run_now(work)
    premises.close()
    states = {key["name"]: key["state"] for key in run("keys", "list", "--json").json}
    assert states == {"first": "active", "old": "expired"}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--expires", "tomorrow"), "UTC"),
        (("--expires", "2020-01-01T00:00:00Z"), "past"),
        (("--allow-model", "no/such"), "Did you mean"),
        (("--allow-provider", "nobody"), "no provider"),
        (("--rpm", "0"), "rpm"),
    ],
)
def test_terms_that_cannot_be_are_wrong_usage(option: tuple[str, str], said: str) -> None:
    ran = run("keys", "create", "laptop", *option)
    assert (ran.code, said in ran.err) == (2, True)


def test_the_audit_log_tells_what_was_done_here() -> None:
    run("keys", "create", "laptop", "--rpm", "5")
    run("keys", "disable", "laptop")
    entries = run("audit", "--json").json
    assert [(each["actor"], each["action"]) for each in entries] == [
        ("cli", "key.update"),
        ("cli", "key.create"),
    ]
    assert entries[0]["detail"] == {"disabled": [False, True]}
    assert "disabled=[false,true]" in run("audit", "-n", "1").out
    run("keys", "create", "brief", "--expires", "2127-12-31T23:59:59Z")
    assert "expires_at=2127-12-31T23:59:59Z" in run("audit", "-n", "1").out


def test_an_audit_log_without_entries_says_so(data: Path) -> None:
    open_premises(data).close()
    assert "Nothing was changed yet." in run("audit").err


def test_the_command_that_makes_a_first_key_names_the_settings_that_say_where_keys_are(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("server: {host: 0.0.0.0}")
    ran = run("serve", "--port", "0", "--config", str(file))
    assert f"dragoman keys create NAME --config {file}" in ran.err
