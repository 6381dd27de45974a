"""Who is named when settings do not go together: the variable that set one, beside the file."""

from pathlib import Path

import pytest

from dragoman.config import ConfigError, load


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DRAGOMAN__DATABASE__SCHEMA", "a-b", "database: schema 'a-b'"),
        ("DRAGOMAN__SERVER__TRUSTED_PROXIES", "[foo]", "server: 'foo'"),
        ("DRAGOMAN__NET__PROXY", "socks5://x", "net.proxy: a proxy is"),
        ("DRAGOMAN__SERVER__HOST__X", "1", "server.host: Expected"),
    ],
)
def test_a_variable_that_is_wrong_is_named_and_not_only_the_file(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    with pytest.raises(ConfigError) as without:
        load(None, {variable: value})
    assert str(without.value).startswith(f"{variable}: {said}")
    file = tmp_path / "dragoman.yaml"
    file.write_text("demo: on\n")
    with pytest.raises(ConfigError) as beside:
        load(file, {variable: value})
    assert str(beside.value).partition(":")[0] in (variable, f"{file}, {variable}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("demo: on\nserver:\n  host: a\n  port: high\n", 4),
        ("demo: on\nserver:\n  prot: 1\n", 3),
        ("servr: {}\n", 1),
        ("providers:\n  acme:\n    api_keys:\n      - one\n      - [two]\n", 5),
        ("demo: on\n\nserver: {keyfile: a.pem}\n", 3),
        ("net:\n  proxy: socks5://x\n", 2),
    ],
)
def test_the_line_of_the_file_is_told(tmp_path: Path, text: str, line: int) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        load(file, {})
    assert str(wrong.value).startswith(f"{file}: line {line}: ")


HOUSE = "secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server: {host: 'localhost:4000'}", "`host` 'localhost:4000' is no address or name"),
        ("server: {host: 'http://localhost'}", "is no address or name"),
        ("server: {hosts: ['https://api.example.com']}", "`hosts`: 'https://api.example.com'"),
        ("server: {hosts: ['an_api.example.com']}", "`hosts`: 'an_api.example.com'"),
        ("server: {hosts: ['api.example.com:443']}", "without scheme and port"),
        ("server: {hosts: ['a.*.com']}", "a name such as"),
        ("alerts: {allow: ['http://hooks.internal/']}", "`allow`: 'http://hooks.internal/'"),
        (f"alerts: {{house: {{webhooks: ['http://a.test/hook'], {HOUSE}}}}}", "only https"),
        (f"alerts: {{house: {{webhooks: ['https://a.test:99/'], {HOUSE}}}}}", "port 99 is not"),
        ("alerts: {smtp: {host: h, from: nobody}}", "`from` holds no address"),
        ("alerts: {smtp: {host: h, from: a@b.c}, house: {emails: [ops]}}", "'ops' is no address"),
    ],
)
def test_a_setting_that_could_have_no_effect_is_refused(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        load(file, {})
    assert said in str(wrong.value)
    assert "hook'" not in str(wrong.value)


@pytest.mark.parametrize(
    "text",
    [
        "server: {host: '::1', hosts: [api.example.com, '*.example.com', '*', 10.0.0.1, '::1']}",
        "server: {host: gateway_1}",
        "alerts: {allow: [hooks.internal.example.com, 10.1.0.0/16, '::1'], allow_http: true}",
        "alerts: {smtp: {host: h, from: 'Us <alerts@example.com>'}, house: {emails: [a@b.c]}}",
    ],
)
def test_a_setting_that_has_one_is_taken(tmp_path: Path, text: str) -> None:
    file = tmp_path / "dragoman.yaml"
    file.write_text(text)
    load(file, {})


def test_a_database_of_another_kind_is_refused_and_its_password_not_shown() -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: database\.url: ") as refused:
        load(None, {"DATABASE_URL": "mysql://u:secret@h/d"})
    assert "secret" not in str(refused.value)
