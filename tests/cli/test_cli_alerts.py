"""`dragoman alerts`: what it prints, and how it fails."""

import time
from pathlib import Path

import pytest
from sqlalchemy import text

from dragoman.ledger import alert_rows
from dragoman.ledger.alert_rows import HOUSE, Mark
from dragoman.net.signing import secret_bytes
from dragoman.office.premises import open_premises
from tests.cli.command import Ran, run

HOOK = "https://hooks.example.com/a"


@pytest.fixture(autouse=True)
def _gateway() -> None:
    run("keys", "create", "laptop")


def add(*arguments: str) -> Ran:
    return run("alerts", "add", "much", "--webhook", HOOK, *arguments)


def test_an_alert_is_added_listed_shown_and_removed() -> None:
    assert "No alerts." in run("alerts", "list").err
    ran = add("--usd", "5", "--usd", "2.5", "--window", "daily")
    assert (ran.code, ran.out.startswith("alert_")) == (0, True), ran.err
    id_ = ran.out.strip()
    secret = next(word for word in ran.err.split() if word.startswith("whsec_"))
    assert len(secret_bytes(secret)) == 32
    listed = run("alerts", "list").out
    assert all(word in listed for word in (id_, "much", "default", "$2.5, $5 daily", "1 webhook"))
    shown = run("alerts", "show", id_[:10])
    assert f"tells {HOOK}" in shown.out
    assert "Nothing was sent yet." in shown.err
    assert secret not in shown.out + shown.err
    (row,) = run("alerts", "list", "--json").json
    assert (row["usd"], row["window"], row["webhooks"]) == ([2.5, 5.0], "daily", [HOOK])
    assert run("alerts", "remove", id_).code == 0
    assert run("alerts", "show", id_).code == 1
    actions = [each["action"] for each in run("audit", "--json").json]
    assert actions.count("alert.create") == actions.count("alert.delete") == 1


def test_a_key_is_watched_by_its_limit() -> None:
    assert "has no limit" in add("--key", "laptop", "--percent", "80").err
    run("keys", "create", "app", "--limit", "5")
    made = add("--key", "app", "--percent", "100", "--percent", "80", "--json")
    assert made.code == 0, made.err
    row = made.json["data"]
    assert row["percent"] == [80, 100]
    assert f"key {row['key_hash'][:12]} at 80 %, 100 %" in run("alerts", "show", row["id"]).out


def test_a_test_waits_to_be_delivered_and_a_secret_is_replaced() -> None:
    made = add("--usd", "5", "--json").json
    id_ = made["data"]["id"]
    event = run("alerts", "test", id_).out.strip()
    (sent,) = run("alerts", "show", id_, "--json").json["deliveries"]
    assert (sent["id"], sent["type"], sent["state"]) == (event, "alert.test", "waiting")
    table = run("alerts", "show", id_).out
    assert all(word in table for word in (event, HOOK, "waiting"))
    rotated = run("alerts", "rotate", id_)
    assert rotated.out.strip() != made["secret"]
    assert run("alerts", "rotate", id_, "--json").json["secret"] not in {
        made["secret"],
        rotated.out,
    }
    assert run("alerts", "list", "--house", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "give one of them"),
        (("--usd", "5", "--percent", "80"), "give one of them"),
        (("--usd", "much"), "usd"),
        (("--percent", "101"), "percent"),
        (("--percent", "80"), "use usd"),
        (("--usd", "5", "--webhook", "https://10.0.0.1/"), "not public"),
        (("--usd", "5", "--email", "bob@example.com"), "alerts.smtp"),
        (("--usd", "5", "--key", "nobody"), "nobody"),
        (("--usd", "5", "--account", "acct_none"), "acct_none"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(arguments: tuple[str, ...], word: str) -> None:
    ran = add(*arguments)
    assert (ran.code in {1, 2}, word in ran.err) == (True, True), ran.err
    assert run("alerts", "list", "--json").json == []


def test_the_doctor_names_what_was_not_delivered_and_not_booked(data: Path) -> None:
    id_ = add("--usd", "5").out.strip()
    run("alerts", "test", id_)
    premises = open_premises(data)
    mark = Mark(rule=HOUSE, mark="journal:node-1:abcdef", note="a segment is missing")
    premises.ledger.run_now(lambda c: alert_rows.tell(c, mark, time.time()))
    change = text("UPDATE alert_delivery SET state = 'dead', error = 'answered 500'")
    premises.ledger.run_now(lambda c: c.execute(change))
    premises.close()
    ran = run("doctor", "--offline", "--json")
    checked = {check["name"]: check for check in ran.json}
    assert ran.code == 1
    assert checked["alerts"]["detail"] == f"1 messages of {id_} could not be delivered"
    assert checked["alerts"]["fix"].endswith(f"dragoman alerts show {id_}")
    journal = checked["journal abcdef"]
    assert (journal["state"], "a segment is missing" in journal["detail"]) == ("broken", True)
    assert "answered 500" in run("alerts", "show", id_).out
