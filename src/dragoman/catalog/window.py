"""Which part of a list a caller wants: by number, or by the id next to it.

OpenRouter's clients count (`offset`, `limit`; docs, "Models", Pagination), Anthropic's name
the last or first id they have (`after_id`, `before_id`; its API reference, "List Models").
Who gives none of these gets everything.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from dragoman.catalog.query import count
from dragoman.core.errors import InvalidRequest

USUAL, MOST = 500, 1000
FAR = 1_000_000_000


class Window(Struct, frozen=True, kw_only=True):
    """Rows from `offset` on, at most `limit`; None: to the end."""

    offset: int = 0
    limit: int | None = None


def read_window(query: Mapping[str, str], ids: Sequence[str]) -> Window:
    """Read which of the rows with these ids are wanted. Raises InvalidRequest.

    Only the next page of a list is linked to, so `before_id` is for those who go back.
    """
    asked = {"offset", "limit", "after_id", "before_id"} & query.keys()
    if not asked:
        return Window()
    limit = count(query, "limit", least=1, most=MOST) or USUAL
    offset = count(query, "offset", least=0, most=FAR) or 0
    if "after_id" in query:
        offset = _place(query, "after_id", ids) + 1
    elif "before_id" in query:
        end = _place(query, "before_id", ids)
        offset, limit = max(0, end - limit), min(end, limit)
    return Window(offset=offset, limit=limit)


def _place(query: Mapping[str, str], name: str, ids: Sequence[str]) -> int:
    try:
        return ids.index(query[name])
    except ValueError:
        raise InvalidRequest(f"{name}: {query[name][:200]!r} is not in this list") from None
