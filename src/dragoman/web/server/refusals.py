"""What the server itself has to say: requests that never reach the application.

RFC 9110, section 15, for the statuses. The body is the envelope that the path's clients read.
"""

from functools import cache

from dragoman.core.errors import GatewayError, PayloadTooLarge
from dragoman.web import shedding
from dragoman.web.errors import error_headers
from dragoman.web.options import MIB
from dragoman.web.outlet import CORS, JSON
from dragoman.web.server.answer import Fields, head
from dragoman.web.voices import IN_CHAT, Voice


class Excuses(dict[Voice, bytes]):
    """The 503s for those who are told no at once, of whom few know more than one voice."""

    __slots__ = ("_date", "_retry_after_s")

    def __init__(self, retry_after_s: int, date: bytes) -> None:
        super().__init__()
        self._retry_after_s = retry_after_s
        self._date = date

    def __missing__(self, voice: Voice) -> bytes:
        """Make the one in a voice that was not needed before."""
        made = self[voice] = overloaded(
            self._retry_after_s, self._date, voice, bodiless=False, closes=False
        )
        return made


def rendered(
    error: GatewayError,
    date: bytes,
    voice: Voice = IN_CHAT,
    *,
    bodiless: bool = False,
    closes: bool = True,
) -> bytes:
    """Return the whole answer, after which the connection closes unless told otherwise."""
    status, body = voice.dialect.refusal(error, None)
    fields: Fields = [
        *CORS,
        *JSON,
        (b"content-length", b"%d" % len(body)),
        *([(b"connection", b"close")] if closes else []),
        *error_headers(error),
    ]
    return head(status, fields, date) + (b"" if bodiless else body)


def overloaded(
    retry_after_s: int, date: bytes, voice: Voice, *, bodiless: bool, closes: bool
) -> bytes:
    """Return the 503 for which there has to be time even when there is none for anything else."""
    before, after = _overloaded(retry_after_s, voice, bodiless=bodiless, closes=closes)
    return before + date + after


def too_large(limit: int) -> PayloadTooLarge:
    """Return the error for a body of more than `limit` bytes."""
    return PayloadTooLarge(f"Request payload too large: the limit is {limit / MIB:g} MiB.")


@cache
def _overloaded(
    retry_after_s: int, voice: Voice, *, bodiless: bool, closes: bool
) -> tuple[bytes, bytes]:
    date = b"date: now\r\n"
    error = shedding.overloaded(retry_after_s)
    whole = rendered(error, date, voice, bodiless=bodiless, closes=closes)
    before, _, after = whole.partition(date)
    return before, after
