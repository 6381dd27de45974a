"""What any database takes: text without NUL or lone surrogates, numbers that add up. Pure."""

MOST = 2**53 - 1
"""The largest integer that every reader of JSON holds, with room for a thousand in 64 bits."""


def fitting(number: int) -> int:
    """Return `number`, or the nearest that may be stored."""
    return max(-MOST, min(number, MOST))


def clean(text: str) -> str:
    """Return `text`, mended if it needs to be."""
    return mended(text) if is_odd(text) else text


def is_odd(text: str) -> bool:
    """Say whether some database would refuse the text."""
    if text.isascii():
        return "\0" in text
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return "\0" in text


def mended(text: str) -> str:
    """Return the text without what a database would refuse."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")
