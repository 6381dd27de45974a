"""What a start of the gateway prints: where it is, what it found, and how to try it.

The first start makes the first key and shows it, this once.
"""

import time

from dragoman import __version__
from dragoman.catalog.listing import is_callable
from dragoman.catalog.types import Catalog, Endpoint
from dragoman.cli.catalog import Shelf, shipped_only
from dragoman.cli.console import out
from dragoman.cli.context import config_words, data_words, program
from dragoman.config import Settings
from dragoman.office import keys
from dragoman.office.premises import Premises

FIRST_KEY = "default"
PARROT = "demo/parrot"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - read, not bound


def greet(chosen: Settings, premises: Premises, url: str) -> None:
    """Print where the gateway listens and how to use it, making the first key if need be."""
    console = out()
    shelf = shipped_only(chosen)
    here, model = reachable(url), example(shelf.catalog)
    workers = chosen.options.server.workers
    words = data_words(chosen) + config_words(chosen)
    crew = f"  {workers} workers" if workers > 1 else ""
    console.print(f"Dragoman {__version__}  {url}  data: {premises.path}{crew}", style="bold")
    console.print(found(shelf))
    if premises.has_any_key():
        console.print(f"Make a key: {program()} keys create NAME{words}")
    else:
        key = first_key(chosen, premises)
        console.print(f"Key (shown this once): {key}")
        if model is None:
            console.print(f"What can be called: {program()} models{words}")
        else:
            console.print(f"Try it:\n  {curl(here, key, model)}")
            talk = f"{program()} chat {model} --url {here}/api/v1 --key {key}"
            client = f"{program()} connect claude-code --url {here} --key {key}"
            console.print(f"Set up Claude Code, Codex, OpenCode and others: {client}")
            console.print(f"Or talk to it: {talk}")
    console.file.flush()


def first_key(chosen: Settings, premises: Premises) -> str:
    """Make the key of a fresh installation and return its text."""
    prefix = chosen.options.access.key_prefix
    work = keys.create(FIRST_KEY, prefix=prefix, pepper=premises.pepper, now=time.time())
    text, _ = premises.ledger.run_now(work)
    return text


def found(shelf: Shelf) -> str:
    """Return which providers can be called, and how many models are known of them."""
    endpoints = _callable(shelf.catalog)
    names = {each.provider_name for each in endpoints}
    asked = {shelf.hosts.providers[slug].name for slug in shelf.hosts.discover}
    if not names | asked:
        return "No provider is configured. Set a key such as OPENAI_API_KEY, or: dragoman init"
    count = len({each.model for each in endpoints})
    models = [f"{count} model{'s' * (count != 1)}"] if count else []
    own = [f"those that {', '.join(sorted(asked))} lists"] if asked else []
    return f"Providers: {', '.join(sorted(names | asked))} ({', and '.join(models + own)})"


def example(catalog: Catalog) -> str | None:
    """Return the model to try first: the parrot of the demo, else the cheapest, if there is any."""
    if PARROT in catalog.models:
        return PARROT
    paid = [each for each in _callable(catalog) if not each.free]
    return min(paid, key=_cost).model if paid else None


def curl(url: str, key: str, model: str) -> str:
    """Return a command that works when pasted."""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
    return (
        f"curl {url}/api/v1/chat/completions -H 'Authorization: Bearer {key}'"
        f" -H 'Content-Type: application/json' -d '{body}'"
    )


def reachable(url: str) -> str:
    """Return an address that a client on this machine can use."""
    for everywhere, here in EVERYWHERE.items():
        url = url.replace(f"//{everywhere}:", f"//{here}:")
    return url


def _callable(catalog: Catalog) -> list[Endpoint]:
    return [e for model in catalog.models.values() for e in model.endpoints if is_callable(e)]


def _cost(endpoint: Endpoint) -> tuple[bool, int, str]:
    """Order endpoints by price, those whose price is unknown last."""
    price = endpoint.price
    return price is None, price.prompt + price.completion if price else 0, endpoint.model
