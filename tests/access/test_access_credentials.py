"""Which headers carry a key, what a key looks like, and what its owner is told if it does not."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dragoman.access.credentials import check_form, presented
from dragoman.access.options import AccessOptions
from dragoman.core import ids
from dragoman.core.errors import InvalidRequest, Unauthenticated

PREFIX = "sk-dm-v1-"


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [
        ("Bearer abc", None),
        ("bearer abc", None),
        ("BEARER   abc  ", None),
        (None, "abc"),
        ("", " abc "),
        ("Bearer abc", "abc"),
        ("Bearer ", "abc"),
        ("Basic dXNlcjpwYXNz", "abc"),
    ],
)
def test_a_key_is_found_in_either_header(authorization: str | None, api_key: str | None) -> None:
    assert presented(authorization, api_key) == "abc"


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [(None, None), ("", ""), ("Bearer", None), ("Bearer ", None), ("Basic abc", None),
     ("abc", None), ("Bearerabc", None)],
)  # fmt: skip
def test_no_key_is_401_in_openrouters_words(authorization: str | None, api_key: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        presented(authorization, api_key)
    assert caught.value.message == "Missing Authentication header"


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [("Bearer abc", "def"), ("Bearer ab\u00fc", None), (None, "\udcff")],
)
def test_two_keys_or_odd_letters_are_400(authorization: str | None, api_key: str | None) -> None:
    with pytest.raises(InvalidRequest):
        presented(authorization, api_key)


@pytest.mark.parametrize("prefix", [PREFIX, "sk-or-v1-", ""])
def test_a_fresh_key_has_good_form_whatever_the_prefix_is_now(prefix: str) -> None:
    check_form(ids.new_key(prefix), PREFIX)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("sk-ant-api03-abcdef", "an Anthropic key"),
        ("sk-proj-abcdef", "an OpenAI key"),
        ("sk-or-v1-0123456789abcdef", "an OpenRouter key"),
        ("gsk_abcdef", "a Groq key"),
    ],
)
def test_a_key_of_another_service_is_recognised_and_not_repeated(key: str, kind: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        check_form(key, PREFIX)
    assert caught.value.message.startswith(f"This looks like {kind}. A Dragoman key starts with")
    assert PREFIX in caught.value.message
    assert key[-6:] not in caught.value.message


@pytest.mark.parametrize(
    "key",
    [
        "abc",
        PREFIX,
        PREFIX + "a" * 49,
        "sk-or-v1-" + "a" * 49,
        pytest.param(ids.new_key(PREFIX)[:-1], id="cut"),
    ],
)
def test_a_malformed_key_of_our_own_kind_is_unknown(key: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        check_form(key, key[:9])
    assert caught.value.message == "User not found."


@given(st.none() | st.text(), st.none() | st.text())
def test_garbage_is_refused_as_the_callers_fault_and_nothing_else(
    authorization: str | None, api_key: str | None
) -> None:
    with pytest.raises((Unauthenticated, InvalidRequest)):
        check_form(presented(authorization, api_key), PREFIX)


@given(st.data())
def test_a_key_with_one_letter_changed_is_refused(data: st.DataObject) -> None:
    key = ids.new_key(PREFIX)
    place = data.draw(st.integers(len(PREFIX), len(key) - 1))
    letter = data.draw(st.sampled_from(ids.ALPHABET))
    assume(letter != key[place])
    with pytest.raises(Unauthenticated):
        check_form(key[:place] + letter + key[place + 1 :], PREFIX)


@pytest.mark.parametrize("prefix", ["", "sk dm", "sk-ü-", "x" * 33, "a\n"])
def test_a_prefix_that_does_not_fit_in_a_header_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="key_prefix"):
        AccessOptions(key_prefix=prefix)
