"""What is sealed opens with the same key for the same purpose, and not otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.store.cipher import Unsealable, bound, seal, unseal

KEY, OTHER = bytes(32), bytes([1]) * 32


@given(st.binary(max_size=100), st.text(max_size=20))
def test_what_is_sealed_comes_back(plain: bytes, purpose: str) -> None:
    assert unseal(KEY, seal(KEY, plain, bound(purpose)), bound(purpose)) == plain


def test_the_same_text_is_never_sealed_alike() -> None:
    assert seal(KEY, b"x", b"") != seal(KEY, b"x", b"")


def test_another_key_or_purpose_opens_nothing() -> None:
    sealed = seal(KEY, b"plain", bound("a", 1))
    for key, purpose in ((OTHER, bound("a", 1)), (KEY, bound("a", 2)), (b"short", bound("a", 1))):
        with pytest.raises(Unsealable):
            unseal(key, sealed, purpose)


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", "ü", "A" * 60])
def test_what_was_never_sealed_opens_not(sealed: str) -> None:
    with pytest.raises(Unsealable):
        unseal(KEY, sealed, b"")


def test_a_flipped_bit_is_noticed() -> None:
    sealed = seal(KEY, b"plain", b"")
    flipped = ("B" if sealed[20] == "A" else "A").join((sealed[:20], sealed[21:]))
    with pytest.raises(Unsealable):
        unseal(KEY, flipped, b"")


def test_parts_are_not_mistaken_for_one_another() -> None:
    assert bound("a", "b|c") != bound("a|b", "c")
    assert bound("1") != bound(1)
