"""Names that are not those of the models that answer: passed on, or any free one."""

import json
from typing import Any

from msgspec import structs

from dragoman.catalog.types import Catalog
from dragoman.relay.chat import answer_chat
from tests.relay.scene import Scene, catalog, endpoint
from tests.upstream.hosts import refuses, whole


async def answered(scene: Scene, shown: Catalog, **body: Any) -> Any:
    """Serve a request from another catalog than that of the scene; return its body."""
    desk = structs.replace(scene.desk, catalog=lambda: shown)
    return json.loads((await answer_chat(desk, scene.visit(**body))).body)


async def test_an_unknown_model_is_answered_by_the_provider_named_at_an_unknown_price() -> None:
    scene = Scene(a=whole("Hello"))
    shown = structs.replace(catalog(), configured=frozenset({"a"}))
    body = await answered(scene, shown, model="acme/unheard-of", provider={"only": ["a"]})
    assert (body["model"], body["provider"]) == ("acme/unheard-of", "A")
    assert "cost" not in body["usage"]
    assert scene.hosts.bodies()[0]["model"] == "acme/unheard-of"
    assert (scene.record.endpoint, scene.record.price_known) == ("a|*", False)
    assert "passed on to A" in scene.record.notes[0].detail


async def test_a_free_model_that_fails_is_followed_by_another() -> None:
    scene = Scene(a=refuses(500), b=whole("Hello"))
    models = {}
    for slug in ("a", "b"):
        free = endpoint(slug, id=f"{slug}|{slug}/free", model=f"{slug}/free", free=True)
        model = catalog(free).models["acme/turbo"]
        models[free.model] = structs.replace(model, id=free.model)
    shown = structs.replace(catalog(), models=models, free=tuple(models))
    body = await answered(scene, shown, model="openrouter/free", provider={"order": ["a"]})
    assert body["model"] == "b/free:free"
    assert scene.hosts.called == ["a", "b"]
    assert (scene.record.requested, scene.record.strategy) == ("openrouter/free", "free")
