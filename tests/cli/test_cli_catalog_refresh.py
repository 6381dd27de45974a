"""`dragoman catalog refresh`, `status`, `pending` and `approve`, without a server."""

from pathlib import Path

import pytest

from dragoman.cli.catalog import shipped_only
from dragoman.cli.context import settings
from dragoman.core.money import price_text
from tests.cli.command import run
from tests.cli.hosts import host
from tests.office.editions import CHEAP, DEAR, text, write


@pytest.fixture
def cheap(tmp_path: Path) -> str:
    return write(tmp_path / "cheap.json", text())


@pytest.fixture
def dear(tmp_path: Path) -> str:
    return write(tmp_path / "dear.json", text(DEAR))


def prices() -> list[str]:
    """Return what a token of the prompt costs, as any command sees it."""
    model = shipped_only(settings(None, None)).catalog.models["acme/one"]
    return [price_text(each.price.prompt) for each in model.endpoints if each.price]


def test_a_file_comes_into_force_and_is_seen_by_other_commands(cheap: str) -> None:
    ran = run("catalog", "refresh", cheap)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "1 models at 1 endpoints are in force: 1 new, 0 at another price.\n"
    assert prices() == ["0.000001"]


def test_an_address_comes_into_force() -> None:
    with host(200, text()) as url:
        ran = run("catalog", "refresh", url, "--json")
    assert ran.json["added"] == 1
    assert run("catalog", "status", "--json").json["refreshed"]["source"] == url


def test_the_address_of_the_settings_is_the_default(tmp_path: Path, cheap: str) -> None:
    assert run("catalog", "refresh").code == 2
    (tmp_path / "dragoman.yaml").write_text(f"catalog: {{refresh_url: {cheap}, refresh_hours: 6}}")
    assert run("catalog", "refresh").code == 0
    found = run("catalog", "status", "--json").json
    assert (found["refresh_url"], found["refresh_hours"]) == (cheap, 6.0)
    assert f"{cheap}, every 6 hours" in run("catalog", "status").out


def test_a_catalog_that_is_wrong_is_refused_with_lines_and_reasons(
    tmp_path: Path, cheap: str
) -> None:
    run("catalog", "refresh", cheap)
    bad = write(tmp_path / "bad.json", text({"prompt": 7, "completion": "-1"}, context=0))
    ran = run("catalog", "refresh", bad)
    assert (ran.code, ran.out) == (1, "")
    where = f"{bad}: line 1: acme/one at groq"
    assert ran.err.splitlines() == [
        f"{where}: context: 0 is not a number of tokens from 1 to 1,000,000,000",
        f"{where}: price.completion: '-1' is not a price between 0 and 1000 USD per unit",
        "Refused. The catalog that was in force still is.",
    ]
    found = run("catalog", "status", "--json").json
    assert found["refreshed"]["source"] == cheap
    assert found["last_try"]["source"] == bad
    assert "was refused: line 1: acme/one at groq: context" in run("catalog", "status").out


def test_a_refusal_is_told_to_programs_as_well(tmp_path: Path) -> None:
    ran = run("catalog", "refresh", str(tmp_path / "nowhere.json"), "--json")
    assert (ran.code, ran.err) == (1, "")
    assert ran.json == {
        "source": str(tmp_path / "nowhere.json"),
        "problems": ["is no file"],
        "changed": False,
    }


def test_a_price_waits_is_listed_and_is_approved(cheap: str, dear: str) -> None:
    run("catalog", "refresh", cheap)
    ran = run("catalog", "refresh", dear)
    assert ran.code == 0
    assert "waiting: 1. See them with: dragoman catalog pending" in ran.err
    shown = run("catalog", "pending")
    assert shown.out.splitlines()[1].split() == ["groq|acme/one", "prompt", "1", "10", "10"]
    (waiting,) = run("catalog", "pending", "--json").json
    assert (waiting["model"], waiting["times"], waiting["unit"]) == ("acme/one", 10.0, "prompt")
    assert waiting["was"] == CHEAP
    assert waiting["asks"] == {"prompt": "0.00001", "completion": "0.00002"}
    ran = run("catalog", "approve", "groq|acme/one")
    assert ran.out == "groq|acme/one: the new price is in force.\n"
    assert prices() == ["0.00001"]
    assert run("catalog", "pending").err == "No price waits.\n"
    assert run("catalog", "pending", "--json").json == []


def test_all_prices_are_approved_at_once(cheap: str, dear: str) -> None:
    assert run("catalog", "approve", "--all").err == "No price waits.\n"
    run("catalog", "refresh", cheap)
    run("catalog", "refresh", dear)
    (done,) = run("catalog", "approve", "--all", "--json").json
    assert done["endpoint"] == "groq|acme/one"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Name endpoints or models, or say --all"),
        (("a/b", "--all"), 2, "Name endpoints or models, or say --all"),
        (("a/b",), 1, "No price of a/b waits"),
    ],
)
def test_only_what_waits_can_be_approved(arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = run("catalog", "approve", *arguments)
    assert ran.code == code
    assert said in ran.err


def test_the_status_of_a_fresh_installation_is_as_shipped() -> None:
    ran = run("catalog", "status")
    assert ran.code == 0
    assert "as shipped" in ran.out
    assert "by hand" in ran.out
    found = run("catalog", "status", "--json").json
    assert (found["refreshed"], found["last_try"], found["set_aside"]) == (None, None, [])
    assert found["counts"]["models"] > 40


def test_an_edition_that_is_set_aside_is_told(data: Path, cheap: str) -> None:
    run("catalog", "refresh", cheap)
    (data / "catalog" / "current.json").write_bytes(b"{")
    assert "set aside" in run("catalog", "status").out


def test_what_did_not_change_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Same:
        changed, source = False, "https://catalog.example/x"

    async def refresh(*_: object) -> type[Same]:
        return Same

    monkeypatch.setattr("dragoman.cli.catalog_refresh.refresh", refresh)
    ran = run("catalog", "refresh", str(tmp_path))
    assert ran.out == "https://catalog.example/x has not changed.\n"


@pytest.mark.parametrize("command", ["refresh", "approve"])
def test_a_place_that_cannot_be_written_is_wrong_usage(
    command: str, tmp_path: Path, cheap: str
) -> None:
    (tmp_path / "file").write_text("")
    arguments = [cheap] if command == "refresh" else ["--all"]
    ran = run("catalog", command, *arguments, "--data", str(tmp_path / "file" / "data"))
    assert ran.code == 2
    assert "Choose another with --data" in ran.err


def test_doctor_tells_which_catalog_counts_and_what_waits(
    data: Path, tmp_path: Path, cheap: str, dear: str
) -> None:
    def told() -> list[tuple[str, str]]:
        found = run("doctor", "--offline", "--json").json
        return [(each["state"], each["detail"]) for each in found if each["name"] == "catalog"]

    (fresh,) = told()
    assert fresh[0] == "ok"
    assert fresh[1].endswith("models, as shipped")
    run("catalog", "refresh", cheap)
    run("catalog", "refresh", dear)
    run("catalog", "refresh", write(tmp_path / "bad.json", b"[]"))
    counts, refused, waiting = told()
    assert counts[1].endswith(dear)
    assert refused == (
        "note",
        f"the last refresh was refused: {tmp_path}/bad.json: line 1: holds no model",
    )
    assert waiting == ("note", "prices that wait for approval: 1")
    (data / "catalog" / "current.json").write_bytes(b"{")
    assert any(detail.startswith("set aside: ") for _, detail in told())
