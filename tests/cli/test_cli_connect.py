"""`dragoman connect` as it is typed, against a running gateway with the demo's models."""

import json
import os
import pty
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dragoman.cli.exits import Failure
from tests.cli.command import DRAGOMAN, Ran, Running, clean_environ, run
from tests.conftest import Needs

Connect = Callable[..., Ran]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without any client."""
    for variable in ("CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.delenv(variable, raising=False)
    where = tmp_path / "home"
    where.mkdir()
    monkeypatch.setenv("HOME", str(where))
    return where


@pytest.fixture
def connect(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a function that runs `dragoman connect` against the running gateway."""
    monkeypatch.setenv("DRAGOMAN_URL", gateway.base)
    monkeypatch.setenv("DRAGOMAN_API_KEY", gateway.key)
    return lambda *arguments: run("connect", *arguments)


def test_without_a_client_all_are_listed_and_who_is_here(connect: Connect, home: Path) -> None:
    (home / ".codex").mkdir()
    ran = connect("--json")
    rows = {row["name"]: row for row in ran.json}
    assert rows["codex"]["installed"]
    assert not rows["zed"]["installed"]
    assert rows["claude-code"]["writes"] == ["~/.claude/settings.json"]
    assert "claude-code" in connect().out


def test_the_configuration_is_on_stdout_and_the_test_beside_it(connect: Connect) -> None:
    ran = connect("claude-code")
    assert ran.code == 0, ran.err
    path, _, text = ran.out.partition("\n")
    assert path == "# ~/.claude/settings.json"
    settings = json.loads(text.partition("\n\n")[0])
    assert settings["model"] == "demo/scholar"
    assert settings["env"]["ANTHROPIC_API_KEY"] == ""
    for step in ("key", "hello", "models", "count tokens", "message", "stream", "tools"):
        assert f"✓ {step} " in ran.err
    assert "get_weather(city=" in ran.err


def test_what_was_found_is_there_for_programs(connect: Connect) -> None:
    ran = connect("opencode", "--json")
    assert ran.code == 0
    states = {each["name"]: each["state"] for each in ran.json["findings"]}
    assert states == dict.fromkeys(("key", "models", "chat", "stream", "tools"), "ok")
    assert all(each["ms"] > 0 for each in ran.json["findings"])
    assert json.loads(ran.json["documents"][0]["text"])["model"] == "dragoman/demo/scholar"


@pytest.mark.parametrize("client", ["codex", "claude-code", "aider"])
def test_each_dialect_is_tried_from_the_list_of_models_to_a_tool(
    connect: Connect, client: str
) -> None:
    findings = {each["name"]: each for each in connect(client, "--json").json["findings"]}
    assert {"key", "models", "stream", "tools"} <= findings.keys()
    assert {each["state"] for each in findings.values()} == {"ok"}


def test_a_key_that_is_refused_ends_the_test_with_what_to_do(connect: Connect) -> None:
    ran = connect("curl", "--key", "sk-dm-v1-nonsense")
    assert ran.code == 1
    assert "✗ key" in ran.err
    assert "dragoman keys create NAME" in ran.err
    assert "chat" not in ran.err.partition("✗ key")[2]


def test_a_model_that_does_not_exist_is_found_out(connect: Connect) -> None:
    ran = connect("opencode", "--model", "no/such-model")
    assert ran.code == 1
    assert "not listed" in ran.err
    assert "✗ chat" in ran.err
    assert "dragoman models" in ran.err


def test_writing_twice_and_putting_back(connect: Connect, home: Path) -> None:
    file = home / ".claude" / "settings.json"
    file.parent.mkdir()
    file.write_text('{\n  "theme": "dark"\n}\n')
    file.chmod(0o644)
    ran = connect("claude-code", "--write", "--yes", "--no-test")
    assert ran.code == 0, ran.err
    assert '+    "ANTHROPIC_AUTH_TOKEN": "sk-dm-v1-' in ran.err
    written = json.loads(file.read_text())
    assert written["theme"] == "dark"
    assert written["env"]["ANTHROPIC_AUTH_TOKEN"] not in ran.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = connect("claude-code", "--write", "--yes", "--no-test")
    assert "Nothing to change" in again.err
    assert json.loads(file.read_text()) == written
    assert connect("claude-code", "--undo", "--yes").code == 0
    assert file.read_text() == '{\n  "theme": "dark"\n}\n'
    assert [each.name for each in file.parent.iterdir()] == ["settings.json"]
    with pytest.raises(Failure, match="Nothing to undo"):
        run_or_raise(connect, "claude-code", "--undo", "--yes")


def run_or_raise(connect: Connect, *arguments: str) -> None:
    ran = connect(*arguments)
    if ran.code:
        raise Failure(ran.err)


def test_codex_gets_its_key_in_a_file_of_its_own(
    connect: Connect, home: Path, gateway: Running
) -> None:
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text('# mine\nmodel = "gpt-5" # best\n\n[tui]\nnotifications = true\n')
    before = config.read_text()
    assert connect("codex", "--write", "--yes", "--no-test").code == 0
    value = tomllib.loads(config.read_text())
    assert value["model_provider"] == "dragoman"
    assert value["model_providers"]["dragoman"]["base_url"] == gateway.base
    assert value["tui"] == {"notifications": True}
    assert gateway.key not in config.read_text()
    key = config.with_name("dragoman.key")
    assert key.read_text() == gateway.key + "\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert connect("codex", "--undo", "--yes").code == 0
    assert config.read_text() == before
    assert not key.exists()


def test_variables_of_clients_move_their_files(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "moved"))
    assert connect("codex", "--write", "--yes", "--no-test").code == 0
    names = {each.name for each in (tmp_path / "moved").iterdir()}
    assert {"config.toml", "dragoman.key"} <= names


def test_a_person_is_asked_before_a_key_is_made_and_a_file_written(
    gateway: Running, home: Path, tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    options = ("--url", gateway.base, "--data", str(gateway.data), "--no-test", "--write")
    process = subprocess.Popen(
        [DRAGOMAN, "connect", "aider", *options],
        env=clean_environ() | {"HOME": str(home)},
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, b"y\ny\n")
    assert process.wait(30) == 0
    os.close(ours)
    written = yaml.safe_load((home / ".aider.conf.yml").read_text())
    assert written["openai-api-key"].startswith("sk-")
    assert written["openai-api-key"] != gateway.key


def test_a_file_that_was_not_there_is_gone_again(connect: Connect, home: Path) -> None:
    file = home / ".config" / "opencode" / "opencode.json"
    assert connect("opencode", "--write", "--yes", "--no-test").code == 0
    assert json.loads(file.read_text())["model"] == "dragoman/demo/scholar"
    assert connect("opencode", "--undo", "--yes").code == 0
    assert not list(file.parent.iterdir())


def test_the_key_that_was_written_is_used_again(
    connect: Connect, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in ("codex", "opencode"):
        assert connect(client, "--write", "--yes", "--no-test").code == 0
    monkeypatch.delenv("DRAGOMAN_API_KEY")
    for client in ("codex", "opencode"):
        report = connect(client, "--no-test", "--json").json
        assert report["key"] == gateway.key


def test_a_key_can_be_made(
    connect: Connect, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAGOMAN_API_KEY")
    ran = connect("openai-python", "--make-key", "--data", str(gateway.data), "--json")
    assert ran.code == 0, ran.err
    made = ran.json["key"]
    assert made.startswith("sk-")
    assert made != gateway.key
    listed = run("keys", "list", "--data", str(gateway.data), "--json").json
    assert "openai-python" in {key["name"] for key in listed}


def test_without_a_key_it_is_shown_where_one_belongs(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAGOMAN_API_KEY")
    ran = connect("langchain")
    assert ran.code == 0
    assert 'api_key="YOUR_KEY"' in ran.out
    assert "dragoman keys create NAME" in ran.err
    refused = connect("codex", "--write", "--yes")
    assert (refused.code, "--make-key" in refused.err) == (2, True)


def test_no_key_is_made_for_what_cannot_be_written(
    connect: Connect, home: Path, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAGOMAN_API_KEY")
    file = home / "settings.json"
    file.write_text("[1]")
    data = ("--data", str(gateway.data))
    made = ("--make-key", "--write", "--file", str(file), *data)
    assert connect("zed", *made, "--yes").code == 2
    assert connect("zed", *made).code == 2
    listed = run("keys", "list", *data, "--json").json
    assert "zed" not in {key["name"] for key in listed}


def test_nothing_is_written_unasked(connect: Connect, home: Path) -> None:
    ran = connect("codex", "--write")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert not list(home.iterdir())


def test_a_file_with_comments_is_left_alone(connect: Connect, home: Path) -> None:
    file = home / "settings.json"
    file.write_text('{\n  // dark\n  "theme": "dark"\n}\n')
    ran = connect("zed", "--write", "--yes", "--file", str(file))
    assert ran.code == 2
    assert "by hand" in ran.err
    assert file.read_text() == '{\n  // dark\n  "theme": "dark"\n}\n'


def test_a_link_stays_a_link(connect: Connect, home: Path) -> None:
    real = home / "dotfiles.json"
    real.write_text("{}\n")
    link = home / ".config" / "opencode" / "opencode.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    assert connect("opencode", "--write", "--yes", "--no-test").code == 0
    assert link.is_symlink()
    assert "dragoman" in real.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("claud-code",), "Did you mean claude-code?"),
        (("cursor", "--write", "--yes"), "has no file to write"),
        (("curl", "--url", "localhost:4000"), "give an address"),
    ],
)
def test_wrong_usage_is_told(connect: Connect, arguments: tuple[str, ...], said: str) -> None:
    ran = connect(*arguments)
    assert ran.code == 2
    assert said in ran.err


def test_where_no_gateway_is_it_is_told_how_to_start_one(connect: Connect) -> None:
    ran = connect("curl", "--url", "http://127.0.0.1:9/api/v1")
    assert ran.code == 1
    assert "dragoman serve" in ran.err


@pytest.mark.parametrize("path", ["", "/", "/v1", "/api", "/api/v1", "/api/v1/chat/completions"])
def test_any_base_address_of_the_gateway_will_do(
    connect: Connect, gateway: Running, path: str
) -> None:
    report = connect("curl", "--url", gateway.url + path, "--no-test", "--json").json
    assert report["url"] == gateway.base


@pytest.mark.parametrize("client", ["openai-python", "anthropic-python", "openrouter-python"])
def test_the_code_of_a_library_runs_as_it_stands(connect: Connect, client: str) -> None:
    code = connect(client, "--model", "demo/parrot", "--no-test", "--json").json["code"]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Hello!\n"


def test_the_line_for_a_shell_runs_as_it_stands(connect: Connect, needs: Needs) -> None:
    needs("curl")
    code = connect("curl", "--model", "demo/parrot", "--no-test").out
    done = subprocess.run(
        ["sh", "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"] == "Hello!"
