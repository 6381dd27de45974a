"""What names a conversation: by it, requests keep to one of a model's providers."""

from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from dragoman.catalog.types import Alias, Endpoint, Model, Price
from dragoman.core.money import PicoUsd
from dragoman.relay.life import begin
from dragoman.relay.visit import Visit
from dragoman.relay.warmth import MOST_WARM, Warmth, opening
from tests.relay.scene import Scene, catalog, endpoint
from tests.upstream.hosts import whole

HOSTS = "abcdefgh"
TIMES = 40


def scene() -> Scene:
    scripts: dict[str, Any] = {slug: whole("hello") for slug in HOSTS}
    return Scene(**scripts)


def first(scene: Scene, *, header: str | None = None, **body: Any) -> str:
    """Return who would be asked first."""
    visit = scene.visit(provider={}, **body)
    with begin(scene.desk, named(visit, header)) as turn:
        return turn.plan.steps[0].endpoint.provider


def named(visit: Visit, header: str | None) -> Visit:
    return replace(visit, session_id=visit.call.session_id or header)


def firsts(header: str | None = None, **body: Any) -> set[str]:
    here = scene()
    return {first(here, header=header, **body) for _ in range(TIMES)}


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("conversation", {}),
        (None, {"session_id": "conversation"}),
        ("another", {"session_id": "conversation"}),
        (None, {"prompt_cache_key": "conversation"}),
        ("conversation", {"prompt_cache_key": "another"}),
        ("conversation", {"temperature": 0.5, "messages": [{"role": "user", "content": "later"}]}),
    ],
)
def test_a_conversation_keeps_to_one_provider(header: str | None, body: dict[str, Any]) -> None:
    assert firsts(header, **body) == firsts("conversation")
    assert len(firsts("conversation")) == 1


def test_conversations_differ_and_requests_without_one_are_drawn_anew() -> None:
    here = scene()
    assert len({first(here, header=f"conversation {i}") for i in range(TIMES)}) > 3
    assert len(firsts()) > 3


def test_a_conversation_is_the_same_for_another_process() -> None:
    assert [first(scene(), header=f"c{i}") for i in range(8)] == list("dfghaehf")


def test_an_alias_with_weights_is_drawn_once_for_a_conversation() -> None:
    hosts = tuple(endpoint(slug) for slug in HOSTS[:2])
    here = scene()
    weighed = replace(catalog(*hosts), aliases={"mine": Alias(name="mine", targets=TWO)})
    weighed = replace(weighed, models=weighed.models | {"acme/mini": mini(endpoint("a"))})
    here.desk = replace(here.desk, catalog=lambda: weighed)

    def drawn(header: str | None) -> str:
        with begin(here.desk, named(here.visit(provider={}, model="mine"), header)) as turn:
            return turn.plan.steps[0].endpoint.model

    assert len({drawn("conversation") for _ in range(TIMES)}) == 1
    assert {drawn(f"c{i}") for i in range(TIMES)} == {"acme/turbo", "acme/mini"}
    assert {drawn(None) for _ in range(TIMES)} == {"acme/turbo", "acme/mini"}


HALF_READ = Price(prompt=PicoUsd(2), completion=PicoUsd(2), cache_read=PicoUsd(1))
NOT_CHEAPER = Price(prompt=PicoUsd(2), completion=PicoUsd(2), cache_read=PicoUsd(2))
READ = {"prompt_tokens_details": {"cached_tokens": 900}}
WRITTEN = {"prompt_tokens_details": {"cache_write_tokens": 900}}
SYSTEM = {"role": "system", "content": "You are brief."}
DEVELOPER = {"role": "developer", "content": "And kind."}
QUESTION = {"role": "user", "content": "Why?"}
SAID = {"role": "assistant", "content": "Because."}


async def served(price: Price, usage: dict[str, Any] | None, **body: Any) -> Scene:
    """Return a scene in which one answer was given, with this usage."""
    told = whole("hello", usage={"prompt_tokens": 1000, "completion_tokens": 1} | (usage or {}))
    scripts: dict[str, Any] = dict.fromkeys(HOSTS, told)
    here = Scene(*(endpoint(slug, price=price) for slug in HOSTS), **scripts)
    await here.whole(provider={}, **body)
    return here


def asked(here: Scene, *messages: dict[str, str]) -> set[str]:
    """Return who would be asked first, time and again, by a conversation without a name."""
    return {first(here, messages=[*messages]) for _ in range(TIMES)}


@pytest.mark.parametrize("usage", [READ, WRITTEN])
async def test_where_caches_are_used_a_conversation_keeps_to_a_provider_without_a_name(
    usage: dict[str, Any],
) -> None:
    here = await served(HALF_READ, usage)
    begun = asked(here, SYSTEM, QUESTION)
    assert len(begun) == 1
    assert asked(here, SYSTEM, QUESTION, SAID, {"role": "user", "content": "Really?"}) == begun
    assert asked(here, SYSTEM, DEVELOPER, QUESTION) == begun
    others = [asked(here, SYSTEM, {"role": "user", "content": f"{i}?"}) for i in range(TIMES)]
    assert {len(each) for each in others} == {1}
    assert len(set.union(*others)) > 3
    others = [asked(here, {"role": "system", "content": f"{i}"}, QUESTION) for i in range(TIMES)]
    assert len(set.union(*others)) > 3


@pytest.mark.parametrize(("price", "usage"), [(HALF_READ, None), (NOT_CHEAPER, READ)])
async def test_where_no_cache_pays_off_requests_are_drawn_anew(
    price: Price, usage: dict[str, Any] | None
) -> None:
    here = await served(price, usage)
    assert len(asked(here, SYSTEM, QUESTION)) > 3


async def test_caches_are_thought_of_for_ten_minutes_after_they_were_seen() -> None:
    here = await served(HALF_READ, READ)
    here.clock.now += 599
    assert len(asked(here, QUESTION)) == 1
    here.clock.now += 2
    assert len(asked(here, QUESTION)) > 3


async def test_caches_of_one_account_and_model_are_none_of_others() -> None:
    warmth, now = Warmth(), 0.0
    for i in range(MOST_WARM + 1):
        warmth.saw("mine", f"acme/{i}", now)
    assert warmth.lately("mine", f"acme/{MOST_WARM}", now)
    assert not warmth.lately("mine", "acme/0", now)
    assert not warmth.lately("theirs", f"acme/{MOST_WARM}", now)


def test_what_is_nested_too_deep_to_be_read_names_no_conversation() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert opening({"messages": Raw(deep)}) == ""
    assert opening({"input": Raw(b'"text"')}) == ""


TWO = (("acme/turbo", 1.0), ("acme/mini", 1.0))


def mini(at: Endpoint) -> Model:
    own = replace(at, id="a|acme/mini", model="acme/mini")
    return Model(id="acme/mini", name="Mini", created=0, endpoints=(own,))
