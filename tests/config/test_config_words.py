"""What is said of a settings file and of an address that are none."""

from pathlib import Path

import pytest

from dragoman.config import ConfigError, config_file, load


def test_a_directory_is_told_from_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a directory\. Name the file: .*/dragoman\.yaml"):
        config_file(tmp_path, tmp_path, {})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"DATABASE_URL": "mysql://u:secret@h/d"},
            "DATABASE_URL: database.url: expected `postgres",
        ),
        (
            {"REDIS_URL": "secret:6379"},
            "REDIS_URL: redis.url: expected `redis://user:password@host",
        ),
    ],
)
def test_an_address_of_another_kind_is_told_what_would_do(
    environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, environ)
    assert str(caught.value).startswith(said)
    assert "secret" not in str(caught.value)
