"""What a client has to be told of a gateway, as values."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["json", "toml", "yaml", "text"]
Dialect = Literal["chat", "messages", "responses", "cursor"]


class Prices(Struct, frozen=True, kw_only=True):
    """What a million tokens cost, in USD; None: not known."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None


class Model(Struct, frozen=True, kw_only=True):
    """A model as the gateway lists it. Sizes are in tokens; None: not known."""

    id: str
    name: str = ""
    context: int | None = None
    output: int | None = None
    tools: bool = True
    created: int = 0
    usd: float | None = None
    """What a token in and a token out cost together."""
    inputs: tuple[str, ...] = ()
    """What it takes: `text`, `image`, `file`, …; empty where that is not known."""
    prices: Prices = Prices()


class Choice(Struct, frozen=True, kw_only=True):
    """Which models a client is given: for the work, and for titles and other small things."""

    main: Model
    small: Model
    classes: dict[str, Model] = {}
    """For clients that know classes of models: `opus`, `sonnet`, `haiku`, `fable`."""


class Facts(Struct, frozen=True, kw_only=True):
    """Where the gateway is, up to but without `/api`, the key to it, and its models."""

    origin: str
    key: str
    models: Choice

    @property
    def base(self) -> str:
        """Where OpenAI's API begins."""
        return f"{self.origin}/api/v1"


class Setting(Struct, frozen=True):
    """A value at a path of a document, which belongs to us as a whole."""

    path: tuple[str, ...]
    value: Any


class Document(Struct, frozen=True, kw_only=True):
    """What to set in a file. `path` may begin with `~`. Paths of settings never depend on facts."""

    path: str
    kind: Kind
    settings: tuple[Setting, ...]


class Config(Struct, frozen=True, kw_only=True):
    """Everything that makes a client use the gateway: whatever of it the client has."""

    documents: tuple[Document, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    code: str = ""
    steps: tuple[str, ...] = ()
    """What is done by hand, in this order; after the documents, if there are any."""


class Client(Struct, frozen=True, kw_only=True):
    """A program or library that can use the gateway."""

    name: str
    title: str
    dialect: Dialect
    recipe: Callable[[Facts], Config]
    programs: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    """Files of its own that tell that it is, or was, installed."""
    families: tuple[str, ...] = ()
    """How the ids of the models begin that suit it best, the best first."""
