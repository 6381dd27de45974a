"""A catalog of models, aliases and providers to name, and calls that name them."""

from typing import Any

from dragoman.catalog.spellings import spellings
from dragoman.catalog.types import Alias, Catalog, Endpoint, Model, Provider, Renamed
from dragoman.wire.chat import ChatCall
from dragoman.wire.preferences import Preferences

MODELS = (
    "acme/turbo", "acme/mini", "acme/turbo:thinking", "Bolt/Max", "local/llama3:8b",
    "openai/gpt-4o", "openai/gpt-4o-mini",
)  # fmt: skip

PROVIDERS = {
    "openai": ("OpenAI", ()),
    "google-ai-studio": ("Google AI Studio", ("google", "gemini")),
    "deepinfra": ("DeepInfra", ()),
}


def provider(slug: str, name: str, aliases: tuple[str, ...]) -> Provider:
    """Return a provider of which only the names matter."""
    return Provider(slug=slug, name=name, dialect="openai", base_url="http://x", aliases=aliases)


def endpoint(model: str, **changes: Any) -> Endpoint:
    """Return an endpoint at deepinfra that can be called, with what is changed."""
    fields: dict[str, Any] = {
        "id": f"deepinfra|{model}", "model": model, "provider": "deepinfra",
        "provider_name": "DeepInfra", "tag": "deepinfra", "upstream": model, "price": None,
    }  # fmt: skip
    return Endpoint(**(fields | changes))


ALIASES = {
    "fast": Alias(name="fast", targets=(("acme/turbo", 3.0), ("acme/mini", 1.0))),
    "cheap": Alias(name="cheap", targets=(("acme/mini:floor", 1.0), ("gone/model", 99.0))),
    "gone": Alias(name="gone", targets=(("gone/model", 1.0), ("gone/other", 1.0))),
    "former": Alias(name="former", targets=(("acme/old:floor", 1.0),)),
}

RENAMED = {
    "acme/old": Renamed(name="acme/old", target="acme/mini", dated="2026-07", reason="retired")
}

CATALOG = Catalog(
    models={id_: Model(id=id_, name=id_, created=0, endpoints=(endpoint(id_),)) for id_ in MODELS},
    providers={slug: provider(slug, *names) for slug, names in PROVIDERS.items()},
    aliases=ALIASES,
    renamed=RENAMED,
    spellings=spellings(MODELS, ALIASES, RENAMED),
    latest={"~acme/turbo-latest": "acme/turbo"},
    provider_names={
        name.lower(): slug
        for slug, (display, aliases) in PROVIDERS.items()
        for name in (slug, display, *aliases)
    },
)


def call(*models: str, **changes: Any) -> ChatCall:
    """Return a valid call of these models, with what is changed."""
    fields: dict[str, Any] = {
        "members": {},
        "model": models[0] if models else "acme/turbo",
        "models": models or ("acme/turbo",),
        "preferences": Preferences(),
        "partition": "model",
        "route_by_price": False,
        "stream": False,
        "max_tokens": None,
        "parameters": frozenset(),
        "inputs": frozenset({"text"}),
        "outputs": frozenset({"text"}),
        "text_bytes": 0,
        "reasoning": None,
        "tools": False,
        "json_output": False,
        "session_id": None,
        "user": None,
        "tags": {},
        "trace": {},
        "echo_upstream_body": False,
        "not_applied": (),
    }
    return ChatCall(**(fields | changes))
