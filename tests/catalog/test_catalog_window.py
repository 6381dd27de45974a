"""Pages by number, as OpenRouter's clients ask, and by id, as Anthropic's do."""

import pytest

from dragoman.catalog.window import Window, read_window
from dragoman.core.errors import InvalidRequest

IDS = ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("query", "offset", "limit"),
    [
        ({}, 0, None),
        ({"q": "x"}, 0, None),
        ({"offset": "3"}, 3, 500),
        ({"limit": "1000"}, 0, 1000),
        ({"offset": "2", "limit": "2"}, 2, 2),
        ({"after_id": "b"}, 2, 500),
        ({"after_id": "e", "limit": "2"}, 5, 2),
        ({"before_id": "d", "limit": "2"}, 1, 2),
        ({"before_id": "b", "limit": "2"}, 0, 1),
        ({"before_id": "a"}, 0, 0),
    ],
)
def test_a_window(query: dict[str, str], offset: int, limit: int | None) -> None:
    assert read_window(query, IDS) == Window(offset=offset, limit=limit)


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ({"limit": "0"}, "limit: '0' is not a whole number from 1 to 1000"),
        ({"limit": "1001"}, "from 1 to 1000"),
        ({"limit": "many"}, "limit: 'many'"),
        ({"offset": "-1"}, "offset: '-1'"),
        ({"after_id": "x"}, "after_id: 'x' is not in this list"),
        ({"before_id": "x"}, "before_id: 'x'"),
    ],
)
def test_a_window_that_cannot_be(query: dict[str, str], hint: str) -> None:
    with pytest.raises(InvalidRequest, match=hint):
        read_window(query, IDS)
