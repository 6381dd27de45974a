"""What names a conversation: by it, requests keep to one of a model's providers."""

from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog.types import Alias, Endpoint, Model
from dragoman.relay.life import begin
from dragoman.relay.visit import Visit
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


TWO = (("acme/turbo", 1.0), ("acme/mini", 1.0))


def mini(at: Endpoint) -> Model:
    own = replace(at, id="a|acme/mini", model="acme/mini")
    return Model(id="acme/mini", name="Mini", created=0, endpoints=(own,))
