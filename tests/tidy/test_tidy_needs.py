"""A program that is missing is never passed over in silence."""

from pathlib import Path

import pytest

from tests.conftest import Needs

ABSENT = "a-program-that-nobody-has"


def test_a_program_that_is_there_is_found(needs: Needs) -> None:
    shell = "sh"
    assert Path(needs(shell)).name == shell


def test_a_test_skips_and_says_why_when_its_program_is_missing(
    needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DRAGOMAN_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"{ABSENT} is not installed"):
        needs(ABSENT)


def test_a_test_fails_where_everything_is_required(
    needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRAGOMAN_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match=f"{ABSENT} is not installed"):
        needs(ABSENT)
