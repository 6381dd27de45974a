"""Whether a failed call is worth another try, and when.

The gateway has already gone from provider to provider, so the client only sits out what
passes: a limit, an overload, a restart. It never repeats a chat request that the gateway
may be working on, because both would be billed.
"""

import random

from dragoman.client.errors import ClientError, ConnectionFailed, Refused

LONGEST_S = 60.0
"""Who is asked to wait longer should decide for themselves."""

FIRST_S, MOST_S = 0.5, 8.0


def pause_s(error: ClientError, method: str, attempt: int, retries: int) -> float | None:
    """Return how long to wait before the next try, None if there should be none.

    `attempt` counts from 0; after `retries` more it is enough.
    """
    if attempt >= retries or not _worth_it(error, method):
        return None
    if isinstance(error, Refused) and error.retry_after_s is not None:
        return error.retry_after_s if error.retry_after_s <= LONGEST_S else None
    return min(FIRST_S * float(2**attempt), MOST_S)


def spread() -> float:
    """Return a factor from 1 to 1.25, so that callers who failed together do not come together."""
    return 1 + random.random() / 4  # noqa: S311 - it hides nothing


def _worth_it(error: ClientError, method: str) -> bool:
    if isinstance(error, ConnectionFailed):
        return error.unsent or method == "GET"
    if not isinstance(error, Refused):
        return False
    if error.should_retry is not None:
        return error.should_retry
    return error.status in {408, 409, 429} or error.status >= 500
