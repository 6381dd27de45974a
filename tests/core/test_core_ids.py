"""Names of keys and generations."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core import ids

PREFIX = "sk-dm-v1-"


def test_a_key_has_the_documented_form() -> None:
    key = ids.new_key(PREFIX)
    assert re.fullmatch(r"sk-dm-v1-[0-9A-Za-z]{49}", key)
    assert ids.is_key(key, PREFIX)
    assert ids.new_key(PREFIX) != key


@given(st.integers(0, 57), st.characters(codec="ascii", categories=["L", "N"]))
def test_one_wrong_character_is_noticed_without_asking_anyone(place: int, letter: str) -> None:
    key = PREFIX + "4" * 43
    key += ids.checksum(key)
    changed = key[:place] + letter + key[place + 1 :]
    assert ids.is_key(changed, PREFIX) == (changed == key)


@given(st.text())
def test_no_text_breaks_the_check(text: str) -> None:
    assert not ids.is_key(text, PREFIX) or text.startswith(PREFIX)


@pytest.mark.parametrize("text", ["", PREFIX, PREFIX + "a" * 48, "sk-or-v1-" + "a" * 49])
def test_what_is_no_key(text: str) -> None:
    assert not ids.is_key(text, PREFIX)


def test_the_public_id_of_a_key_is_its_sha256() -> None:
    key = "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"
    assert ids.key_hash(key) == "bf5883afeb1d6d80da112459d4da5a75f9d2b4abab6ddd328f2571ad934c2b2a"
    assert ids.key_label(key, "sk-or-v1-") == "sk-or-v1-0e6...c96"


@given(st.floats(0, 1e11))
def test_a_generation_id_has_openrouters_form(now: float) -> None:
    assert re.fullmatch(rf"gen-{int(now)}-[0-9A-Za-z]{{20}}", ids.generation_id(now, Random()))


def test_generation_ids_do_not_repeat() -> None:
    rng = Random()
    assert len({ids.generation_id(0, rng) for _ in range(10_000)}) == 10_000
