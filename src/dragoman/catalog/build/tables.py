"""What people have decided about the source: the tables that lie beside `models.json`.

`identities.yaml` says who is who, `corrections.yaml` where the source is wrong, `added.yaml` what
it does not have, `parameters.yaml` which request parameters hosts take. Each file says what its
fields are for.
"""

from typing import Literal, TypeVar

import msgspec
import yaml
from msgspec import Struct

from dragoman.catalog.build.read import About, Usd
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import Modality
from dragoman.catalog.shipped import DATA, Output, Spoken

T = TypeVar("T")

What = Literal["drop", "price", "keep", "free", "inactive", "modalities", "dialect", "marked"]
"""What a correction does. All but `keep` change the entry; `keep` answers a finding of prices far
apart, whose price stands alone and is right all the same."""

_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Author(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who makes models. `home` is its own provider in the source, whose word counts most."""

    name: str
    orgs: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    home: str | None = None


class Identities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is who: how an entry's name leads to a model."""

    authors: dict[str, Author] = {}
    ids: tuple[str, ...] = ()
    """Models by OpenRouter's ids that its list in the source does not hold."""
    names: dict[str, str] = {}
    """Model -> its name for people, where OpenRouter's list says another's."""
    same: dict[str, tuple[str, ...]] = {}
    """Model -> its other names, on any host."""
    at: dict[str, dict[str, str]] = {}
    """Provider -> its name -> the model, `@` and a variant behind it where there is one."""
    speeds: frozenset[str] = frozenset()
    """Words at the end of a name for another way to the same model."""
    wrapping: frozenset[str] = frozenset()
    """Words at the end of a name that say nothing of the model."""
    prefixes: tuple[str, ...] = ()
    """What hosts put before a name."""
    neutral: frozenset[str] = frozenset()
    """Words before a name that are no organisation."""
    repackagers: frozenset[str] = frozenset()
    """Organisations that publish other people's models unchanged, in other precisions."""
    routers: frozenset[str] = frozenset()
    """Authors in OpenRouter's list that choose among models."""


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the source is wrong about some entries of a provider, or right against appearances.

    `keep` keeps a price that the comparison with other hosts, a finding of `spread`, would make
    unknown. `new` is a price as input/output in USD per million, for `price` only, where absence
    means unknown; `old`, for people, is what the source said.
    """

    provider: str
    ids: tuple[str, ...]
    what: What
    reason: str
    source: str
    old: str = ""
    new: str = ""
    inputs: tuple[Modality, ...] = ()
    outputs: tuple[Output, ...] = ()
    dialect: Spoken | None = None
    """What is spoken, for `dialect` only."""


class Corrections(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file `corrections.yaml`."""

    corrections: tuple[Correction, ...] = ()


class Added(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that a host serves, and the source does not know of, as a person read it.

    `about` is in the source's form; `search` is USD per search of what reranks.
    """

    provider: str
    id: str
    about: About
    source: str
    search: Usd | None = None


class Additions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file `added.yaml`."""

    added: tuple[Added, ...] = ()


class Exceptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where some of a host's models take more or less than its others."""

    adds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Parameters(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which request parameters hosts take, by the slugs of `providers.yaml`."""

    every: frozenset[str] = frozenset()
    sampling: frozenset[str] = frozenset()
    """What a model takes away that allows no temperature."""
    tools: frozenset[str] = frozenset()
    hosts: dict[str, frozenset[str]] = {}
    models: dict[str, dict[str, Exceptions]] = {}
    """Host -> a pattern for its names of models, `*` standing for anything -> what differs."""


class Tables(Struct, frozen=True, kw_only=True):
    """Everything that people have decided, but whom they checked: see `checked`."""

    identities: Identities
    corrections: tuple[Correction, ...]
    parameters: Parameters
    added: tuple[Added, ...] = ()


def tables() -> Tables:
    """Read the tables of the package. Raises CatalogError if one is damaged."""
    return Tables(
        identities=read_table("identities.yaml", Identities),
        corrections=read_table("corrections.yaml", Corrections).corrections,
        parameters=read_table("parameters.yaml", Parameters),
        added=read_table("added.yaml", Additions).added,
    )


def read_table(name: str, form: type[T]) -> T:
    """Return the table `name` of the package in this form. Raises CatalogError naming it."""
    try:
        rows = yaml.load((DATA / name).read_bytes(), Loader=_SafeLoader)  # noqa: S506 (both are safe)
        return msgspec.convert(rows, form)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise CatalogError(name, str(error)) from None
