"""The settings: where they come from, what fills them in, and what is said of a wrong one."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dragoman.config import (
    ConfigError,
    Options,
    config_file,
    data_directory,
    json_schema,
    load,
)

EXAMPLE = """
# dragoman.yaml: hosts of one's own
providers:
  acme:
    dialect: openai
    base_url: http://127.0.0.1:9100/v1
    api_key: ${ACME_API_KEY:-none}
    models:
      acme/turbo: {upstream: gpt-4o, context: 128000, max_output: 16384, price: {prompt: 0.0000025, completion: 0.00001}}
  acme-2:                       # a second host of the same model: a second endpoint
    dialect: openai
    base_url: http://127.0.0.1:9101/v1
    models:
      acme/turbo: {upstream: gpt-4o, context: 128000, price: {prompt: 0.000005, completion: 0.00002}}
"""  # noqa: E501 - as it was published
NOWHERE: dict[str, str] = {}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dragoman.yaml"


def read(file: Path, text: str, **environ: str) -> Options:
    file.write_text(text)
    return load(file, environ)


def complaint(file: Path, text: str, **environ: str) -> str:
    """Return what is said of a file, after its name."""
    with pytest.raises(ConfigError) as refused:
        read(file, text, **environ)
    said = str(refused.value)
    assert said.startswith(f"{file}: ")
    return re.sub(r"^line \d+: ", "", said.removeprefix(f"{file}: "))


def test_nothing_is_a_good_configuration(file: Path) -> None:
    assert load(None, NOWHERE) == Options()
    assert read(file, "") == Options()
    assert read(file, "# all comments\n") == Options()


def test_the_published_example_is_read(file: Path) -> None:
    options = read(file, EXAMPLE, ACME_API_KEY="sk-1")
    acme, second = options.providers["acme"], options.providers["acme-2"]
    assert (acme.api_key, acme.base_url) == ("sk-1", "http://127.0.0.1:9100/v1")
    assert acme.models["acme/turbo"].max_output == 16384
    assert second.models["acme/turbo"].price is not None
    assert read(file, EXAMPLE).providers["acme"].api_key == "none"


def test_the_schema_accepts_the_published_example_and_nothing_misspelt() -> None:
    schema = json.loads(json.dumps(json_schema()))
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(yaml.safe_load(EXAMPLE))
    validator.validate({})
    for wrong in ("serve: {}", "server: {port: x}", "providers: {a: {url: x}}"):
        assert not validator.is_valid(yaml.safe_load(wrong))


@pytest.mark.parametrize("section", ["server", "upstream", "access", "providers", "aliases"])
def test_a_section_whose_lines_are_all_comments_is_as_good_as_absent(
    file: Path, section: str
) -> None:
    assert read(file, f"{section}:\n#  key: value\n") == Options()


@pytest.mark.parametrize(
    ("written", "meant"), [("on", "on"), ("off", "off"), ("'on'", "on"), ("auto", "auto")]
)
def test_on_and_off_are_words_although_yaml_reads_them_otherwise(
    file: Path, written: str, meant: str
) -> None:
    assert read(file, f"demo: {written}").demo == meant
    assert load(None, {"DRAGOMAN__DEMO": written}).demo == meant


@pytest.mark.parametrize(
    ("text", "environ", "value"),
    [
        ("${KEY}", {"KEY": "a"}, "a"),
        ("${KEY:-b}", {"KEY": "a"}, "a"),
        ("${KEY:-b}", {}, "b"),
        ("${KEY:-b}", {"KEY": ""}, "b"),
        ("${KEY:-}", {}, ""),
        ("${KEY:-http://h:1/v1}", {}, "http://h:1/v1"),
        ("x-${KEY}-${TWO:-2}", {"KEY": "1"}, "x-1-2"),
        ("$$KEY and $${KEY}", {}, "$KEY and ${KEY}"),
        ("$KEY {KEY} $", {"KEY": "a"}, "$KEY {KEY} $"),
        ("${KEY}", {"KEY": "${TWO}"}, "${TWO}"),
        ("${1KEY}", {}, "${1KEY}"),
    ],
)
def test_variables_are_filled_in_once(
    file: Path, text: str, environ: dict[str, str], value: str
) -> None:
    options = read(file, f"providers: {{a: {{base_url: http://x, api_key: '{text}'}}}}", **environ)
    assert options.providers["a"].api_key == value


def test_variables_are_filled_in_within_lists_too(file: Path) -> None:
    text = "providers: {a: {base_url: http://x, api_keys: ['${ONE}', '${TWO:-2}']}}"
    assert read(file, text, ONE="1").providers["a"].api_keys == ("1", "2")


@pytest.mark.parametrize("environ", [{}, {"KEY": ""}])
def test_a_variable_that_is_not_set_is_named_with_its_place(
    file: Path, environ: dict[str, str]
) -> None:
    said = complaint(file, "providers: {a: {headers: {x: '${KEY}'}}}", **environ)
    assert said.startswith("providers.a.headers.x: the environment variable KEY is not set")
    assert "${KEY:-…}" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {port: abc}", "server.port: Expected `int`, got `str`"),
        ("server: {port: 70000}", "server.port: Expected `int` <= 65535"),
        (
            "server: {prot: 1}",
            "server: Object contains unknown field `prot`. Did you mean `port`?",
        ),
        ("servers: {}", "Object contains unknown field `servers`. Did you mean `server`?"),
        (
            "access: {colour: red}",
            "access: Object contains unknown field `colour`. There are: key_prefix",
        ),
        (
            "providers: {a: {models: {b/c: {contxt: 1}}}}",
            "providers.a.models.b/c: Object contains unknown field `contxt`. Did you mean `con",
        ),
        ("upstream: {idle_s: 0}", "upstream.idle_s: Expected `float` > 0.0"),
        ("access: {key_prefix: 'a b'}", "access: key_prefix 'a b': give 1 to 32"),
        (
            "providers: {good: {base_url: x}, bad: {base_url: 5}}",
            "providers.bad.base_url: Expected `str | null`, got `int`",
        ),
        (
            "providers: {a: {models: {b/c: {}, b/d: {price: {prompt: 1}}}}}",
            "providers.a.models.b/d.price: Object missing required field `completion`",
        ),
        ("providers: {a: {api_keys: [x, 5]}}", "providers.a.api_keys.1: Expected `str`"),
        ("aliases: {x: {a/b: 1, a/c: z}}", "aliases.x.a/c: Expected `float`, got `str`"),
        ("demo: maybe", "demo: Invalid enum value 'maybe'. Use one of: auto, off, on"),
        (
            "providers: {a: {dialect: olama}}",
            "providers.a.dialect: Invalid enum value 'olama'. Use one of: ",
        ),
        (
            "providers: {a: {models: {b/c: {inputs: [text, smell]}}}}",
            "providers.a.models.b/c.inputs.1: Invalid enum value 'smell'. Use one of: audio, ",
        ),
        ("providers: {1: {base_url: http://x}}", "providers: a key: Expected `str`, got `int`"),
        ("[1, 2]", "expected sections such as `providers:`, got [1, 2]"),
        ("just text", "expected sections such as `providers:`, got 'just text'"),
        ("server: {port: 1", "line 1, column 17: expected ',' or '}'"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
        ("a: !!python/object:os.system {}", "line 1, column 4: could not determine a constructor"),
        ("demo: \x00", "unacceptable character"),
        ("server: {port: 1}\nserver: {port: 2}", "line 2, column 1: `server` stands here a second"),
        ("providers:\n  a: {}\n  a: {}", "line 3, column 3: `a` stands here a second time"),
        ("? [a]\n: 1", "line 1, column 3: found unhashable key"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(file: Path, text: str, said: str) -> None:
    assert complaint(file, text).startswith(said)


def test_a_number_or_a_switch_may_come_from_a_variable(file: Path) -> None:
    text = "server: {port: '${PORT:-4001}'}\nproviders: {a: {base_url: http://x, cancels: '${C}'}}"
    options = read(file, text, PORT="5000", C="true")
    assert (options.server.port, options.providers["a"].cancels) == (5000, True)
    assert read(file, text, C="false").server.port == 4001


@pytest.mark.parametrize("text", ["null", "none", "12345", "true", ""])
def test_a_text_stays_text_whatever_it_looks_like(file: Path, text: str) -> None:
    options = read(file, f"providers: {{a: {{base_url: http://x, api_key: '{text}'}}}}")
    assert options.providers["a"].api_key == text


def test_what_a_section_has_in_common_may_be_written_once(file: Path) -> None:
    text = "providers: {a: &a {base_url: http://x, api_key: k}, b: {<<: *a, api_key: l}}"
    b = read(file, text).providers["b"]
    assert (b.base_url, b.api_key) == ("http://x", "l")


def test_a_wrong_secret_is_not_repeated(file: Path) -> None:
    text = "providers: {a: {base_url: http://x, api_key: sk-secret, api_keys: sk-secret}}"
    assert "sk-secret" not in complaint(file, text)


def test_a_file_that_cannot_be_read_says_why(file: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(file, NOWHERE)
    file.write_bytes(b"demo: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 6"):
        load(file, NOWHERE)


@pytest.mark.parametrize(
    ("environ", "place", "value"),
    [
        ({"DRAGOMAN__SERVER__PORT": "5000"}, ("server", "port"), 5000),
        ({"DRAGOMAN__SERVER__HOST": "0.0.0.0"}, ("server", "host"), "0.0.0.0"),
        ({"DRAGOMAN__UPSTREAM__IDLE_S": "1.5"}, ("upstream", "idle_s"), 1.5),
        ({"DRAGOMAN__UPSTREAM": "{idle_s: 2}"}, ("upstream", "idle_s"), 2),
        ({"DRAGOMAN_SERVER_PORT": "5000"}, ("server", "port"), 4001),
        ({"dragoman__server__port": "5000"}, ("server", "port"), 4001),
    ],
)
def test_the_environment_wins_over_the_file(
    file: Path, environ: dict[str, str], place: tuple[str, str], value: object
) -> None:
    options: Any = read(file, "server: {port: 4001}", **environ)
    assert getattr(getattr(options, place[0]), place[1]) == value


def test_the_environment_alone_can_name_a_host_of_ones_own() -> None:
    environ = {
        "DRAGOMAN__PROVIDERS__ACME__BASE_URL": "http://x/v1",
        "DRAGOMAN__PROVIDERS__ACME__CANCELS": "true",
    }
    acme = load(None, environ).providers["acme"]
    assert (acme.base_url, acme.cancels) == ("http://x/v1", True)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DRAGOMAN__SERVER__PORT": "abc"}, "DRAGOMAN__SERVER__PORT: server.port: Expected `int`"),
        (
            {"DRAGOMAN__SERVER": "{port: abc}"},
            "DRAGOMAN__SERVER: server.port: Expected `int`, got `str`",
        ),
        ({"DRAGOMAN__DEMO": "maybe"}, "DRAGOMAN__DEMO: demo: Invalid enum value"),
        ({"DRAGOMAN__SERVER__PORT": "[5"}, "DRAGOMAN__SERVER__PORT: line 1, column 3: expected"),
        ({"DRAGOMAN__DEMO__X": "1"}, "DRAGOMAN__DEMO__X: `demo` is not a section"),
        ({"DRAGOMAN__NOPE": "1"}, "DRAGOMAN__NOPE: Object contains unknown field `nope`"),
        (
            {"DRAGOMAN__SERVR__PORT": "1"},
            "DRAGOMAN__SERVR__PORT: Object contains unknown field `servr`. Did you mean `server`?",
        ),
        (
            {"DRAGOMAN__SERVER__PROT": "1"},
            "DRAGOMAN__SERVER__PROT: server: Object contains unknown field `prot`",
        ),
    ],
)
def test_a_wrong_variable_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(None, {"DRAGOMAN__DEMO": "auto"} | environ)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        (
            "net: {proxy: 'socks5://u:hunter2@a:1'}",
            {},
            "{file}: line 1: net.proxy: a proxy",
        ),
        ("", {"HTTPS_PROXY": "socks5://u:hunter2@a:1"}, "HTTPS_PROXY: a proxy is http"),
    ],
)
def test_a_proxy_that_is_none_is_named_and_not_repeated(
    file: Path, text: str, environ: dict[str, str], said: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        load(file, environ)
    assert str(refusal.value).startswith(said.format(file=file))
    assert "hunter2" not in str(refusal.value)


def test_the_file_is_named_when_it_is_the_files_fault(file: Path) -> None:
    said = complaint(file, "server: {port: abc}", DRAGOMAN__SERVER__HOST="::1")
    assert said.startswith("server.port: ")


def test_state_is_kept_where_one_says_else_where_the_user_keeps_such_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    chosen = Path("~/chosen")
    assert data_directory(chosen, {"DRAGOMAN_DATA": "/other"}) == tmp_path / "chosen"
    assert data_directory(None, {"DRAGOMAN_DATA": "~/named"}) == tmp_path / "named"
    assert data_directory(None, {"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "dragoman"
    assert data_directory(None, NOWHERE) == tmp_path / ".local" / "share" / "dragoman"
    monkeypatch.chdir(tmp_path)
    assert data_directory(Path("here"), NOWHERE) == tmp_path / "here"
    assert data_directory(Path("here/../there"), NOWHERE) == tmp_path / "there"


def test_without_a_home_one_is_asked_where_to_keep_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(ConfigError, match="--data or DRAGOMAN_DATA"):
        data_directory(None, NOWHERE)
    assert data_directory(None, {"XDG_DATA_HOME": "/data"}) == Path("/data/dragoman")


def test_the_file_is_the_chosen_one_else_the_one_here_else_beside_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.chdir(tmp_path)
    assert config_file(None, data, NOWHERE) is None
    (data / "dragoman.yaml").touch()
    assert config_file(None, data, NOWHERE) == data / "dragoman.yaml"
    (tmp_path / "dragoman.yaml").touch()
    assert config_file(None, data, NOWHERE) == Path("dragoman.yaml")
    (tmp_path / "other.yaml").touch()
    other = tmp_path / "other.yaml"
    assert config_file(None, data, {"DRAGOMAN_CONFIG": str(other)}) == other
    assert config_file(other, data, {"DRAGOMAN_CONFIG": "missing.yaml"}) == other


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_chosen_file_must_exist(tmp_path: Path, *, by_variable: bool) -> None:
    missing = tmp_path / "missing.yaml"
    environ = {"DRAGOMAN_CONFIG": str(missing)} if by_variable else {}
    with pytest.raises(ConfigError, match=r"missing\.yaml: no such file\. `dragoman init`"):
        config_file(None if by_variable else missing, tmp_path, environ)


SERVER = "postgresql://u:secret@db.example.com/name"


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("", {}, None),
        ("", {"DATABASE_URL": SERVER}, SERVER),
        ("", {"DATABASE_URL": ""}, None),
        ("", {"DATABASE_URL": "postgresql+asyncpg://h/d"}, "postgresql://h/d"),
        ("database: {schema: mine}", {"DATABASE_URL": SERVER}, SERVER),
        ("database: {url: files}", {"DATABASE_URL": SERVER}, None),
        ("database: {url: 'postgres://h/d'}", {"DATABASE_URL": SERVER}, "postgres://h/d"),
        ("", {"DATABASE_URL": SERVER, "DRAGOMAN__DATABASE__URL": "files"}, None),
    ],
)
def test_state_is_where_the_file_says_else_where_the_environment_does(
    file: Path, text: str, environ: dict[str, str], expected: str | None
) -> None:
    assert read(file, text, **environ).database.server == expected


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("", {}, None),
        ("redis: {url: 'unix:///s'}", {"REDIS_URL": "redis://h"}, "unix:///s"),
        ("redis: {prefix: mine}", {"REDIS_URL": "rediss://h"}, "rediss://h"),
    ],
)
def test_nodes_count_where_the_file_says_else_where_the_environment_does(
    file: Path, text: str, environ: dict[str, str], expected: str | None
) -> None:
    assert read(file, text, **environ).redis.url == expected


def test_a_counter_of_another_kind_is_refused_and_its_password_not_shown(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"^REDIS_URL: redis\.url: ") as refused:
        read(file, "", REDIS_URL="http://u:secret@h")
    assert "secret" not in str(refused.value)
    assert complaint(file, "redis: {prefix: 'A B'}").startswith("redis: prefix")


@pytest.mark.parametrize("schema", ["public", "pg_mine", "Mine", "a-b", "", "x" * 64])
def test_tables_are_kept_in_a_schema_of_their_own(file: Path, schema: str) -> None:
    assert complaint(file, f"database: {{schema: '{schema}'}}").startswith("database: schema")
