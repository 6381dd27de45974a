"""The provider's own words: where they stand, and how much of them is kept."""

import pytest

from dragoman.providers.dialect import Kind
from dragoman.providers.openai.faults import LONGEST_RAW, fault
from dragoman.providers.openai.words import LONGEST_BODY, LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'"bad"', "bad"),
        (b'{"detail":"Unauthorized"}', "Unauthorized"),
        (b'{"detail":[{"loc":["body"],"msg":"extra"}]}', '[{"loc":["body"],"msg":"extra"}]'),
        (b'{"message":{"detail":"x"}}', '{"detail":"x"}'),
        (b'{"error":{"message":"two\\n  lines"}}', "two lines"),
        (b"upstream connect error", "upstream connect error"),
        (b"<html><h1>502 Bad Gateway</h1></html>", "HTTP 418"),
        (b"[]", "HTTP 418"),
        (b"7", "7"),
        (b"{]", "HTTP 418"),
        (b"{}", "HTTP 418"),
        (b"[" * 100_000, "HTTP 418"),
    ],
)
def test_the_message_is_the_providers_own_where_it_has_one(body: bytes, message: str) -> None:
    assert fault(418, {}, body).message == message


def test_long_words_are_shortened() -> None:
    got = fault(400, {}, b'{"error":{"message":"%b"}}' % (b"long " * 1000))
    assert len(got.message) == LONGEST_MESSAGE
    assert got.message.endswith("…")
    assert got.raw is not None
    assert len(got.raw) == LONGEST_RAW


def test_a_huge_body_is_not_read_as_json() -> None:
    body = b'{"error":{"code":"insufficient_quota","message":"' + b"x" * LONGEST_BODY + b'"}}'
    assert fault(500, {}, body).kind is Kind.TRANSIENT
