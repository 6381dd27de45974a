"""Members of JSON objects that nobody decodes: whether they are there."""

from msgspec import Raw

ABSENT = Raw()
NULL = Raw(b"null")
_EMPTY = Raw(b'""')


def given(value: Raw) -> bool:
    """Whether a member is there and not null."""
    return bool(value) and value != NULL


def said(value: Raw) -> bool:
    """Whether a member is there, not null, and no empty text."""
    return bool(value) and value not in (NULL, _EMPTY)
