"""`dragoman doctor`: each finding with its fix, and the exit code of a broken installation."""

import json
import os
import resource
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dragoman.cli import checks, reach
from dragoman.net.types import Limits
from tests.cli.command import Ran, Running, run
from tests.cli.hosts import host, silence


def found(ran: Ran) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in ran.json}


@pytest.fixture(autouse=True)
def _free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("DRAGOMAN__SERVER__PORT", str(free.getsockname()[1]))


def test_a_fresh_machine_is_fine_and_nothing_is_made(data: Path) -> None:
    ran = run("doctor", "--json")
    assert ran.code == 0
    checked = found(ran)
    assert {check["state"] for check in checked.values()} <= {"ok", "note"}
    assert "Python" in checked["versions"]["detail"]
    assert "uvloop" in checked["versions"]["detail"]
    assert "httptools" in checked["versions"]["detail"]
    assert "no file" in checked["configuration"]["detail"]
    assert "none runs at 127.0.0.1:" in checked["gateway"]["detail"]
    assert "dragoman serve" in checked["gateway"]["detail"]
    assert "DRAGOMAN__SERVER__PORT" in checked["gateway"]["detail"]
    assert checked["providers"]["state"] == "ok"
    assert "the demo models answer" in checked["providers"]["detail"]
    assert "OPENAI_API_KEY" in checked["providers"]["fix"]
    assert not data.exists()


def test_nothing_to_call_is_noted_and_nothing_is_said_where_there_is_a_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAGOMAN__DEMO", "off")
    told = found(run("doctor", "--offline", "--json"))["providers"]
    assert (told["state"], told["detail"]) == ("note", "none is configured")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one")
    assert "providers" not in found(run("doctor", "--offline", "--json"))


def test_people_get_a_line_for_each_finding_with_its_fix(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("server: {prot: 1}")
    ran = run("doctor")
    assert ran.code == 1
    assert "✓ versions" in ran.out
    assert "✗ configuration: dragoman.yaml: line 1: server: " in ran.out
    assert "1 broken." in ran.err
    (tmp_path / "dragoman.yaml").write_text("")
    assert "Nothing is broken." in run("doctor").err


def test_databases_are_opened_and_keys_counted(data: Path) -> None:
    run("keys", "create", "one")
    run("keys", "create", "two")
    run("keys", "revoke", "two")
    checked = found(run("doctor", "--json"))
    assert checked["databases"]["detail"] == "up to date, 1 usable of 2 keys"
    run("keys", "revoke", "one")
    assert "keys create" in found(run("doctor", "--json"))["databases"]["fix"]
    data.chmod(0o755)
    directory = found(run("doctor", "--json"))["data"]
    assert directory["state"] == "note"
    assert f"chmod 700 {data}" in directory["fix"]


def test_an_exposed_pepper_is_broken(data: Path) -> None:
    run("keys", "create", "one")
    (data / "pepper").chmod(0o644)
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert "chmod 600" in found(ran)["data"]["detail"]


def test_a_directory_without_databases_is_fine(data: Path) -> None:
    data.mkdir(mode=0o700)
    assert "first start" in found(run("doctor", "--json"))["databases"]["detail"]


def test_variables_are_named_with_what_they_open_and_secrets_are_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-wxyz")
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    ran = run("doctor", "--offline", "--json")
    checked = found(ran)
    assert checked["credential openai"]["detail"] == "OPENAI_API_KEY, …wxyz"
    assert checked["GITHUB_TOKEN"]["state"] == "note"
    assert "GitHub Models" in checked["GITHUB_TOKEN"]["detail"]
    assert "secret" not in ran.out
    assert not any(name.startswith("provider ") for name in checked)


def test_a_host_that_needs_two_variables_says_which_one_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "secret")
    check = found(run("doctor", "--offline", "--json"))["AZURE_OPENAI_API_KEY"]
    assert check["detail"] == "is set, and AZURE_RESOURCE_NAME is not: azure cannot be called"
    monkeypatch.setenv("AZURE_RESOURCE_NAME", "mine")
    assert "credential azure" in found(run("doctor", "--offline", "--json"))


def test_a_host_of_the_file_that_needs_a_variable_as_well_says_which(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("providers: {databricks: {api_key: secret}}")
    check = found(run("doctor", "--offline", "--json"))["providers.databricks"]
    assert check["detail"] == "is set, and DATABRICKS_HOST is not: databricks cannot be called"
    assert check["state"] == "note"


def test_a_price_for_a_million_tokens_is_not_taken_for_one_per_token(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(
        "providers: {acme: {base_url: 'http://x/v1', price: {prompt: 0.01, completion: 1e-6}, "
        "models: {a/b: {price: {prompt: 2.5, completion: 10}}}}}"
    )
    checked = found(run("doctor", "--offline", "--json"))
    check = checked["providers.acme.models.a/b.price"]
    assert check["detail"] == "10 USD per token is 10,000,000 USD per million"
    assert "providers.acme.price" not in checked


def test_a_data_directory_that_is_none_is_broken_and_left_alone(data: Path) -> None:
    data.write_text("")
    ran = run("doctor", "--offline", "--json")
    assert ran.code == 1
    assert found(ran)["data"]["detail"] == f"{data} is no directory"
    assert "chmod" not in ran.out


def test_a_data_directory_that_cannot_be_made_is_broken(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    ran = run("doctor", "--offline", "--json")
    assert ran.code == 1
    assert f"{data} cannot be made: {data.parent}" in found(ran)["data"]["detail"]


def test_an_alias_that_leads_nowhere_is_noted(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("aliases: {fast: [no/such]}")
    assert found(run("doctor", "--json"))["alias fast"]["state"] == "note"


def test_settings_that_make_no_catalog_are_broken(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("providers: {acme: {base_url: nonsense}}")
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert "providers.acme.base_url" in found(ran)["providers"]["detail"]


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, b'{"data": [{"id": "a"}, {"id": "b"}]}', "ok", "lists 2 models"),
        (401, b"{}", "broken", "answered 401"),
        (200, b"<html>", "note", "is not JSON"),
    ],
)
def test_each_provider_is_asked_for_its_models(
    status: int, body: bytes, state: str, words: str, tmp_path: Path
) -> None:
    with host(status, body) as url:
        (tmp_path / "dragoman.yaml").write_text(
            f"providers: {{mine: {{base_url: '{url}/v1', api_key: secret-key-wxyz}}}}"
        )
        ran = run("doctor", "--json")
        spoken = run("doctor")
    check = found(ran)["provider mine:1"]
    assert check["state"] == state
    assert words in check["detail"]
    assert bool(check["fix"]) is (state != "ok")
    assert ran.code == (1 if state == "broken" else 0)
    assert "provider mine:1" in spoken.out


def test_a_host_that_takes_a_token_is_not_asked_but_the_token_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "VERTEX_PROJECT": "mine",
        "VERTEX_LOCATION": "global",
        "GOOGLE_APPLICATION_CREDENTIALS": "/no/such/key.json",
    }.items():
        monkeypatch.setenv(name, value)
    checked = found(run("doctor", "--json"))
    assert checked["credential google-vertex"]["detail"] == "application default credentials"
    check = checked["provider google-vertex:1"]
    assert check["state"] == "broken"
    assert "/no/such/key.json" in check["detail"]
    with host(200, b'{"access_token":"t"}') as url:
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
        monkeypatch.setenv("HOME", "/no/such/home")
        monkeypatch.setenv("GCE_METADATA_HOST", url.removeprefix("http://"))
        check = found(run("doctor", "--json"))["provider google-vertex:1"]
    base = "https://aiplatform.googleapis.com/v1/projects/mine/locations/global"
    assert (check["state"], check["detail"]) == ("ok", f"{base}: an access token is given")


def test_a_host_that_is_down_is_broken(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("providers: {mine: {base_url: 'http://127.0.0.1:9'}}")
    ran = run("doctor", "--json")
    assert ran.code == 1
    assert "Start the host" in found(ran)["provider mine:1"]["fix"]


def test_a_host_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "PATIENCE_S", 0.1)
    with silence() as url:
        (tmp_path / "dragoman.yaml").write_text(
            f"providers: {{mine: {{base_url: '{url}', discover: false}}}}"
        )
        check = found(run("doctor", "--json"))["provider mine:1"]
    assert check["state"] == "broken"
    assert "within 0.1 s" in check["detail"]


def test_a_running_gateway_is_found(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN__SERVER__PORT", gateway.url.rpartition(":")[2])
    assert "runs and is ready" in found(run("doctor", "--json"))["gateway"]["detail"]


def test_of_a_gateway_with_a_certificate_it_is_told_whether_anybody_listens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRAGOMAN__SERVER__CERTFILE", "chain.pem")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("DRAGOMAN__SERVER__PORT", str(port))
        check = found(run("doctor", "--json"))["gateway"]
        assert check["detail"] == f"127.0.0.1:{port} listens, for TLS"
    check = found(run("doctor", "--json"))["gateway"]
    assert f"none runs at 127.0.0.1:{port}, which is free" in check["detail"]


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, b'{"status": "unavailable", "problems": ["No provider."]}', "note", "No provider."),
        (
            200,
            b'{"status": "degraded", "problems": ["A journal."]}',
            "note",
            "ready, with problems",
        ),
        (404, b"{}", "broken", "/healthz answered 404"),
        (200, b"<html>", "broken", "another program"),
    ],
)
def test_what_listens_at_the_address_is_told_apart(
    status: int, body: bytes, state: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with host(status, body) as url:
        monkeypatch.setenv("DRAGOMAN__SERVER__PORT", url.rpartition(":")[2])
        check = found(run("doctor", "--json"))["gateway"]
    assert check["state"] == state
    assert words in check["detail"]


def test_a_program_that_says_nothing_is_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    with silence() as url:
        monkeypatch.setenv("DRAGOMAN__SERVER__PORT", url.rpartition(":")[2])
        monkeypatch.setattr(reach, "GATEWAY_LIMITS", Limits(head_s=0.1, idle_s=0.1))
        assert found(run("doctor", "--json"))["gateway"]["state"] == "broken"


def test_an_address_that_cannot_be_listened_on_is_broken() -> None:
    check = reach._bindable("192.0.2.1", 4000)
    assert check.state == "broken"
    assert "--port" in check.fix


def test_a_clock_in_the_past_is_broken() -> None:
    assert checks.clock(0.0).state == "broken"
    assert checks.clock(checks.RELEASED + 1.0).state == "ok"


@pytest.mark.parametrize(
    ("free", "state"), [(10, "broken"), (500 * 2**20, "note"), (10 * 2**30, "ok")]
)
def test_little_disk_is_noted_and_none_is_broken(
    free: int, state: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    check = checks.free_disk(tmp_path / "not" / "yet")
    assert check.state == state
    assert bool(check.fix) is (state != "ok")


@pytest.mark.parametrize(
    ("limit", "state"), [(1024, "note"), (65536, "ok"), (resource.RLIM_INFINITY, "ok")]
)
def test_few_open_files_are_noted(limit: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    assert checks.open_files().state == state


def test_json_is_one_document() -> None:
    assert isinstance(json.loads(run("doctor", "--json", "--offline").out), list)


def test_a_pepper_that_is_gone_is_no_first_start(data: Path) -> None:
    run("keys", "create", "first")
    (data / "pepper").unlink()
    for command in (("keys", "list"), ("db", "info"), ("db", "backup", "file.tar")):
        ran = run(*command)
        assert (ran.code, "pepper is gone" in ran.err) == (2, True), (command, ran.err)
    assert found(run("doctor", "--offline", "--json"))["data"]["state"] == "broken"
    assert not (data / "pepper").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_server_that_is_away_is_broken_before_the_first_start(
    data: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    if there:
        data.mkdir(mode=0o700)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x")
    ran = run("doctor", "--offline")
    assert (ran.code, "PostgreSQL did not answer" in ran.out) == (1, True), ran.out
    assert "hunter2" not in ran.out


def test_a_certificate_that_cannot_be_used_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN__SERVER__CERTFILE", str(tmp_path / "none.pem"))
    check = found(run("doctor", "--offline", "--json"))["certificate"]
    assert (check["state"], "none.pem: No such file" in check["detail"]) == ("broken", True)
    (tmp_path / "none.pem").write_text("nothing")
    check = found(run("doctor", "--offline", "--json"))["certificate"]
    assert "holds no PEM certificate" in check["detail"]


def test_a_variable_that_nobody_reads_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_SERVER_PORT", "80")
    check = found(run("doctor", "--offline", "--json"))["DRAGOMAN_SERVER_PORT"]
    assert (check["state"], "DRAGOMAN__SERVER__PORT" in check["fix"]) == ("note", True)
    assert "DRAGOMAN_DATA" not in found(run("doctor", "--offline", "--json"))
