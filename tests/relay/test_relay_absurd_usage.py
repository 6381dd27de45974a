"""Every count that a host may tell, and every way in which it may be none, in every dialect.

What was delivered is never free, never dear beyond reason, and nothing breaks.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.relay.scene import Scene, endpoint
from tests.relay.usage_hosts import HOSTS, TEXT
from tests.upstream.hosts import plays

ANSWERED = {
    "openai": "completion_tokens",
    "responses": "output_tokens",
    "anthropic": "output_tokens",
    "bedrock": "outputTokens",
}
"""Where the whole answer is counted."""
MISSING = object()
VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "negative": -5,
    "float": 0.5,
    "text": "many",
    "digits": "7" * 30,
    "bool": True,
    "list": [1],
    "1e18": 10**18,
    "1e999": float("inf"),
}
WAYS = ("whole", "streamed")


def paths(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each member of an object of usage is, all of it first."""
    yield path
    rows = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, value in rows if isinstance(tree, dict | list) else ():
        yield from (
            paths(value, (*path, name)) if isinstance(value, dict | list) else [(*path, name)]
        )


def with_value(usage: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a usage in which one member is another, or is not there."""
    if not path:
        return None if value is MISSING else value
    changed = deepcopy(usage)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


async def served(dialect: str, usage: Any, *, stream: bool) -> Scene:
    """Have a host answer with this usage."""
    host = HOSTS[dialect]
    answer = host.streamed(usage) if stream else json.dumps(host.whole(usage)).encode()
    scene = Scene(endpoint("a", dialect=dialect), a=plays(answer.replace(b"Infinity", b"1e999")))
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "y" * 120}]}
    if stream:
        heard = await scene.stream(**asked)
        assert heard.finished
        assert heard.text() == TEXT
    else:
        body = await scene.whole(**asked)
        assert body["choices"][0]["message"]["content"] == TEXT
    return scene


@pytest.mark.parametrize("stream", [False, True], ids=WAYS)
@pytest.mark.parametrize("dialect", HOSTS)
async def test_what_is_well_counts_as_it_is(dialect: str, *, stream: bool) -> None:
    usage = (await served(dialect, HOSTS[dialect].usage, stream=stream)).record.usage
    assert (usage.prompt, usage.completion, usage.cached) == (30, 120, 8)
    assert usage.source == "upstream"


@pytest.mark.parametrize("stream", [False, True], ids=WAYS)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("dialect", "path"),
    [(name, path) for name, host in HOSTS.items() for path in paths(host.usage)],
    ids=lambda each: each if isinstance(each, str) else ".".join(map(str, each)) or "all",
)
async def test_no_count_that_is_none_makes_an_answer_free_or_dear(
    dialect: str, path: tuple[Any, ...], value: str, *, stream: bool
) -> None:
    told = with_value(HOSTS[dialect].usage, path, VALUES[value])
    record = (await served(dialect, told, stream=stream)).record
    usage = record.usage

    assert 100 <= usage.completion <= 250
    assert 15 <= usage.prompt <= 100
    assert 0 <= usage.reasoning <= usage.completion
    assert 0 <= usage.cached + usage.cache_write <= usage.prompt
    assert usage.cache_write_1h <= usage.cache_write
    assert record.cost_nanos <= 100 * 1000 + 250 * 2000
    assert record.cost_nanos >= 15 * 500 + 100 * 2000


@pytest.mark.parametrize("stream", [False, True], ids=WAYS)
@pytest.mark.parametrize(("dialect", "name"), ANSWERED.items())
async def test_an_answer_that_is_counted_as_nothing_is_not_free(
    dialect: str, name: str, *, stream: bool
) -> None:
    told = {**HOSTS[dialect].usage, name: 0, "total_tokens": 30}
    usage = (await served(dialect, told, stream=stream)).record.usage
    assert (usage.completion, usage.source) == (125, "estimated")


@pytest.mark.parametrize("candidates", [MISSING, None, 0, -1, 10**18])
@pytest.mark.parametrize("stream", [False, True], ids=WAYS)
async def test_gemini_counts_in_the_total_what_it_does_not_count_apart(
    candidates: Any, *, stream: bool
) -> None:
    told = with_value(HOSTS["gemini"].usage, ("candidatesTokenCount",), candidates)
    usage = (await served("gemini", told, stream=stream)).record.usage
    assert (usage.prompt, usage.completion, usage.reasoning) == (30, 120, 20)
    del told["totalTokenCount"]
    usage = (await served("gemini", told, stream=stream)).record.usage
    assert (usage.completion, usage.reasoning, usage.source) == (125, 20, "estimated")
