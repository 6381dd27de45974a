"""`dragoman byok`: secrets come in by other ways than arguments, and never out."""

import json
from pathlib import Path

import pytest

from dragoman.office.premises import open_premises
from tests.cli.command import execute, run
from tests.upstream.google_cloud import service_account

SECRET = "sk-own-secret-of-mine-WXYZ"


@pytest.fixture(autouse=True)
def hosts(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(
        "providers:\n  acme: {base_url: https://acme.test/v1, auth: bearer}\n"
    )


def test_a_credential_is_added_listed_and_removed(data: Path) -> None:
    ran = run("byok", "add", "acme", "--name", "mine", "--required", stdin=SECRET + "\n")
    assert (ran.code, SECRET in ran.out + ran.err) == (0, False)
    assert "sk-...WXYZ is sealed, for https://acme.test only." in ran.err
    id_ = ran.out.strip()
    (row,) = run("byok", "list", "--json").json
    assert (row["id"], row["provider"], row["label"]) == (id_, "acme", "sk-...WXYZ")
    assert (row["account"], row["is_required"], row["name"]) == ("default", True, "mine")
    shown = run("byok", "list").out
    assert "required" in shown
    assert SECRET not in shown
    assert run("byok", "remove", id_[:8]).out == "sk-...WXYZ at acme is removed.\n"
    ran = run("byok", "list")
    assert (ran.out, "No credentials yet" in ran.err) == ("", True)
    log = run("audit", "--json").json
    assert [each["action"] for each in log] == ["byok.delete", "byok.create"]
    for file in data.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_a_service_account_is_piped_in_as_it_was_saved(tmp_path: Path) -> None:
    address = "https://global-aiplatform.googleapis.com/v1/projects/p/locations/global"
    (tmp_path / "dragoman.yaml").write_text(
        f"providers:\n  google-vertex: {{base_url: '{address}'}}\n"
    )
    saved = json.dumps(service_account(), indent=2)
    ran = run("byok", "add", "google-vertex", stdin=saved + "\n")
    assert ran.code == 0, ran.err
    assert "PRIVATE" not in ran.out + ran.err
    (row,) = run("byok", "list", "--json").json
    assert row["label"] == "robot@their-project.iam.gserviceaccount.com"
    ran = run("byok", "add", "google-vertex", stdin="/etc/passwd\n")
    assert (ran.code, "service account" in ran.err) == (2, True), ran.err
    ran = run("byok", "add", "acme", stdin=saved)
    assert ran.code != 0


def test_an_access_key_is_looked_at_before_it_is_kept(tmp_path: Path) -> None:
    address = "https://bedrock-runtime.us-east-1.amazonaws.com"
    (tmp_path / "dragoman.yaml").write_text(
        f"providers:\n  amazon-bedrock: {{base_url: '{address}'}}\n"
    )
    given = {"accessKeyId": "AKIA0123456789ABCDEF", "secretAccessKey": SECRET}
    ran = run("byok", "add", "amazon-bedrock", stdin=json.dumps({**given, "region": "Paris"}))
    assert (ran.code, "its region is none" in ran.err) == (2, True), ran.err
    assert SECRET not in ran.out + ran.err
    ran = run("byok", "add", "amazon-bedrock", stdin=json.dumps(given, indent=2))
    assert ran.code == 0, ran.err
    ran = run("byok", "add", "amazon-bedrock", stdin="ABSKa-key-of-bedrocks-own\n")
    assert ran.code == 0, ran.err
    labels = {row["label"] for row in run("byok", "list", "--json").json}
    assert labels == {"AKI...CDEF", "ABS...-own"}


def test_a_secret_may_come_from_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    ran = run("byok", "add", "acme", "--key-env", "MY_KEY", "--fallback", "--json")
    assert json.loads(ran.out)["is_fallback"] is True
    assert SECRET not in ran.out
    ran = run("byok", "add", "acme", "--key-env", "NOTHING_HERE")
    assert (ran.code, "variable NOTHING_HERE" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "no provider"),
        (("acme", "--account", "acct_none"), "acct_none"),
        (("acme", "--fallback", "--only"), "is_byok_only"),
        (("acme", "--allow-model", "no/such"), "not a model"),
    ],
)
def test_what_cannot_be_is_said(arguments: tuple[str, ...], said: str) -> None:
    ran = run("byok", "add", *arguments, stdin=SECRET)
    assert ran.code != 0
    assert said in ran.err
    assert SECRET not in ran.err


def test_without_a_secret_nothing_is_added() -> None:
    ran = run("byok", "add", "acme", stdin="\n")
    assert (ran.code, "no key in standard input" in ran.err) == (2, True)


def test_nobody_is_asked_for_a_secret_of_an_unknown_provider() -> None:
    ran = run("byok", "add", "acmee", stdin="")
    assert (ran.code, "'acmee' is no provider. Did you mean acme" in ran.err) == (2, True), ran.err


def test_an_id_that_means_none_or_several_is_a_failure() -> None:
    for _ in range(2):
        run("byok", "add", "acme", stdin=SECRET)
    assert run("byok", "remove", "zzz").code == 1
    assert run("byok", "remove", "").code == 1


def test_the_key_is_rotated_beside_what_is_sealed(data: Path) -> None:
    assert "Nothing was ever sealed" in _rotated_before_anything()
    run("byok", "add", "acme", stdin=SECRET)
    before = (data / "kek").read_text()
    done = run("byok", "rotate", "--json").json
    assert done["accounts"] == 1
    after = (data / "kek").read_text()
    assert len(after.split()) == 1
    assert after != before
    prepared = run("byok", "rotate", "--prepare", "--json").json["kek"]
    assert len((data / "kek").read_text().split()) == 2
    assert run("byok", "rotate", "--json").json["kek"] == prepared
    open_premises(data).close()


def _rotated_before_anything() -> str:
    run("keys", "create", "first")
    return run("byok", "rotate").err


def test_a_lost_key_stops_the_start_and_says_what_to_do(data: Path) -> None:
    run("byok", "add", "acme", stdin=SECRET)
    (data / "kek").unlink()
    ran = execute("byok", "list", DRAGOMAN_DATA=str(data))
    assert ran.code == 2
    assert f"{data / 'kek'} does not hold the key" in ran.err
    assert "Traceback" not in ran.err


def test_a_lost_key_is_given_up_and_secrets_are_entered_again(data: Path) -> None:
    for name, flags in (("mine", ("--required",)), ("other", ())):
        run("byok", "add", "acme", "--name", name, *flags, stdin=SECRET)
    (data / "kek").unlink()
    assert run("byok", "forget", stdin="n\n").code != 0
    assert run("byok", "forget", "--json").code == 2
    ran = run("byok", "list")
    assert (ran.code, "dragoman byok forget" in ran.err) == (2, True), ran.err
    ran = run("byok", "forget", stdin="y\n")
    assert (ran.code, "copy it here instead" in ran.err) == (0, True), ran.err
    assert ran.out.count("no secret") == 2
    rows = run("byok", "list", "--json").json
    assert [(row["name"], row["forgotten"]) for row in rows] == [("mine", True), ("other", True)]
    assert rows[0]["is_required"] is True
    ran = run("byok", "replace", rows[0]["id"][:8], stdin=SECRET + "\n")
    assert (ran.code, SECRET in ran.out + ran.err) == (0, False), ran.err
    assert [row["forgotten"] for row in run("byok", "list", "--json").json] == [False, True]
    actions = [each["action"] for each in run("audit", "--json").json]
    assert actions[:3] == ["byok.update", "byok.forget", "byok.forget"]
    assert "Nothing is lost" in run("byok", "forget").err


def test_a_key_that_others_may_read_is_not_taken_for_lost(data: Path) -> None:
    run("byok", "add", "acme", stdin=SECRET)
    (data / "kek").chmod(0o644)
    ran = run("byok", "forget", "--yes")
    assert (ran.code, "chmod 600" in ran.err) == (2, True), ran.err
    (data / "kek").chmod(0o600)
    assert [row["forgotten"] for row in run("byok", "list", "--json").json] == [False]


def test_what_was_forgotten_stays_so_when_the_key_is_found(data: Path) -> None:
    run("byok", "add", "acme", stdin=SECRET)
    kept = (data / "kek").read_text()
    (data / "kek").write_text(f"{'ab' * 32}\n")
    assert "no secret" in run("byok", "forget", "--yes").out
    (data / "kek").write_text(kept)
    assert "Nothing is lost" in run("byok", "forget", "--yes").err
