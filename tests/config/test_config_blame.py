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
