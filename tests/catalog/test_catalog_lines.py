"""People are told the line of what is wrong."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.lines import Lines, Path

TEXT = """
{"a": [1,
  {"b": null, "b":
    2, "c\\"]": "]}"}
],
 "d": 1e400}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("a",), 2),
        (("a", 0), 2),
        (("a", 1), 3),
        (("a", 1, "b"), 3),
        (("a", 1, 'c"]'), 4),
        (("d",), 6),
        (("a", 7), 2),
        (("a", "b"), 2),
        (("a", 1, "b", "x"), 3),
        (("x", "y"), 2),
    ],
)
def test_the_line_is_that_of_the_value_or_of_what_is_there_of_its_parents(
    path: Path, line: int
) -> None:
    assert Lines(TEXT).at(path) == line


@pytest.mark.parametrize("text", ["", "\n\n", "[", "[1,\n2", "[1 2]", "{1}", '{"a"', "[\n\x00]"])
def test_a_text_that_breaks_off_has_lines_all_the_same(text: str) -> None:
    assert Lines(text).at((0,)) >= 1


def test_numbers_are_not_read_however_long() -> None:
    assert Lines("[" + "1" * 10_000 + ",\n2]").at((1,)) == 2


def test_what_is_nested_too_deeply_ends_the_search() -> None:
    assert Lines("[" + "[" * 200_000).at((0, 0)) == 1


TREES = st.recursive(
    st.integers() | st.text(max_size=5) | st.none(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=4), children, max_size=4)
    ),
    max_leaves=12,
)


def leaves(tree: Any, path: Path = ()) -> list[Path]:
    if isinstance(tree, dict):
        return [leaf for key, each in tree.items() for leaf in leaves(each, (*path, key))]
    if isinstance(tree, list):
        return [leaf for i, each in enumerate(tree) for leaf in leaves(each, (*path, i))]
    return [path]


def value(tree: Any, path: Path) -> Any:
    for step in path:
        tree = tree[step]
    return tree


@given(TREES)
def test_every_value_is_found_where_it_was_written(tree: Any) -> None:
    text = json.dumps(tree, indent=1)
    lines = text.split("\n")
    for path in leaves(tree):
        assert json.dumps(value(tree, path)) in lines[Lines(text).at(path) - 1]
