"""What is said of the body of a management request that cannot be read."""

import pytest
from msgspec import Struct

from dragoman.core.errors import InvalidRequest
from dragoman.office.alert_bodies import NewAlert
from dragoman.office.analytics import QueryBody
from dragoman.office.byok_bodies import ByokChange, NewByok
from dragoman.office.key_bodies import NewKey
from dragoman.office.reading import read


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("{}", NewKey, "name: is required"),
        ('{"name": ""}', NewKey, "name: must be a string of at least 1 character"),
        ('{"name": "a", "bogus": 1}', NewKey, "bogus: is not known"),
        ('{"name": "a", "limit": -1}', NewKey, "limit: must be a number between 0 and 1000000000"),
        (
            '{"name": "a", "limit_reset": "yearly"}',
            NewKey,
            'limit_reset: Invalid option: expected one of "daily"|"monthly"|"weekly"',
        ),
        ("[]", NewKey, "the body must be an object"),
        ("{", NewKey, "Input data was truncated"),
        (" ", NewKey, "the body is empty"),
        ('{"name": "\\ud83d"}', NewKey, "\\ud83d (byte 10) is half of a character"),
        (
            '{"metrics": ["request_count"], "time_range": {"start": "2026-11-21", "end": 1}}',
            QueryBody,
            "time_range.start: must be a time such as 2027-12-31T23:59:59Z",
        ),
        ('{"provider": "openai", "key": 5}', NewByok, "key: must be a string"),
        ('{"disabled": "no"}', ByokChange, "disabled: must be a boolean"),
        ('{"name": "a", "percent": 80}', NewAlert, "percent: must be an array"),
    ],
)
def test_a_refusal_names_the_member_and_what_would_do(
    body: str, kind: type[Struct], said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(body.encode(), kind)
    assert caught.value.message.startswith(f"Invalid request parameters: {said}")


def test_a_refusal_never_repeats_a_secret() -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(b'{"provider": "openai", "key": "sk-secret", "is_fallback": "sk-secret"}', NewByok)
    assert "sk-secret" not in caught.value.message


def test_a_member_that_is_given_twice_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="limit: given more than once"):
        read(b'{"name": "a", "limit": 1, "limit": 1000}', NewKey)
