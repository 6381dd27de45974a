"""The models that a request names, as targets: aliases, variants, renames, routers, spelling.

What a name stands for is told by `dragoman.catalog.lookup`. Here an alias is drawn, a
router opened, a name that nobody knows passed on or refused, and everything noted that
the caller did not write. Nothing leads further than to a model: an alias's target may
be renamed, but never another alias.
"""

from itertools import chain
from random import Random

from msgspec import Struct, structs

from dragoman.catalog.ask import Target
from dragoman.catalog.listing import is_default_route
from dragoman.catalog.lookup import FREE_ROUTER, Named, look_up
from dragoman.catalog.names import nearest
from dragoman.catalog.types import Alias, Catalog, Endpoint
from dragoman.core.errors import AVAILABILITY_DOCS_URL, Availability, InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.shaping import passing
from dragoman.shaping.free import free_models
from dragoman.wire.preferences import Preferences, SortBy

MOST_REMEMBERED = 4096
ROUTERS_TO_COME = frozenset(
    f"openrouter/{name}"
    for name in ("auto", "auto-beta", "bodybuilder", "fusion", "fusion-flash", "pareto-code")
)
NOTHING: frozenset[str] = frozenset()
SORTS: dict[str, SortBy] = {"nitro": "throughput", "floor": "price", "exacto": "exacto"}


class Targets(Struct, frozen=True, kw_only=True):
    """The targets in the order to try them, and what was done to get there.

    `strategy` is OpenRouter's word: `fallback` for several names, else `alias`, `latest`,
    `free` or `direct`. `passed` are endpoints that exist for this request only, by model.
    """

    targets: tuple[Target, ...]
    notes: tuple[Note, ...]
    strategy: str
    passed: dict[str, tuple[Endpoint, ...]] = {}
    fixed: bool = False
    """Whether the same names always mean the same in this catalog: no chance, no wish decided."""


class Wants(Struct, frozen=True, kw_only=True):
    """What a name is read with: the catalog, and what the request wants of an endpoint.

    The slugs in `preferences` are those of the catalog.
    """

    catalog: Catalog
    preferences: Preferences = Preferences()
    parameters: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset({"text"})


class _Meant(Struct, frozen=True, kw_only=True):
    """What one name means: a target, or those of a router."""

    targets: tuple[Target, ...]
    strategy: str
    notes: tuple[Note, ...] = ()
    passed: tuple[Endpoint, ...] = ()
    fixed: bool = False


class Meanings:
    """Remembers what names mean in one catalog, as far as that is fixed."""

    def __init__(self) -> None:
        self._catalog: Catalog | None = None
        self._known: dict[tuple[str, ...], Targets] = {}

    def known(
        self, names: tuple[str, ...], catalog: Catalog, preferences: Preferences
    ) -> Targets | None:
        """Return what names were found to mean, None if they have to be looked up."""
        if catalog is not self._catalog or preferences.only:
            return None
        return self._known.get(names)

    def of(self, names: tuple[str, ...], wants: Wants, rng: Random) -> Targets:
        """Return what `find_targets` returns, and raise what it raises."""
        if wants.catalog is not self._catalog:
            self._catalog = wants.catalog
            self._known.clear()
        if wants.preferences.only:
            return find_targets(names, wants, rng)
        known = self._known.get(names)
        if known is not None:
            return known
        found = find_targets(names, wants, rng)
        if found.fixed:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[names] = found
        return found


def find_targets(names: tuple[str, ...], wants: Wants, rng: Random) -> Targets:
    """Return the targets of each name, the first of those that mean the same endpoints.

    Raises InvalidRequest in OpenRouter's words for a name that is no model's, with the three
    nearest ids, of which those that can be called for what is wanted are to fall back on, and
    NoEndpoint for a router that has nothing to offer.
    """
    targets: dict[tuple[str, bool], Target] = {}
    notes: list[Note] = []
    passed: dict[str, tuple[Endpoint, ...]] = {}
    strategies: list[str] = []
    fixed = True
    for name in names:
        meant = _meant(name, wants, rng)
        if meant is None:
            raise _unknown(name, names, wants)
        strategies.append(meant.strategy)
        notes += meant.notes
        fixed &= meant.fixed
        if meant.passed:
            passed[meant.targets[0].model] = meant.passed
        firsts = [targets.setdefault((each.model, each.free), each) for each in meant.targets]
        if not any(first is own for first, own in zip(firsts, meant.targets, strict=True)):
            detail = f"{name} means the same endpoints as {firsts[0].asked}, which comes first"
            notes.append(Note(Change.DROPPED, "models", detail))
            strategies.pop()
    return Targets(
        targets=tuple(targets.values()),
        notes=tuple(notes),
        strategy="fallback" if len(strategies) > 1 else strategies[0],
        passed=passed,
        fixed=fixed,
    )


def _meant(name: str, wants: Wants, rng: Random) -> _Meant | None:
    """Return what one name means, None when nobody knows it."""
    named = look_up(name, wants.catalog)
    if named is None:
        return _passed_on(name, wants)
    if named.how == "router":
        return _drawn(name, named, wants, rng)
    chosen = _dealiased(name, named, wants.catalog, rng)
    target = _target(name, chosen)
    only = wants.preferences.only
    passed = only and passing.known_model(target.model, only, wants.catalog, free=target.free)
    notes = _notes(name, named, chosen)
    return _Meant(
        targets=(target,),
        strategy=_strategy(named, chosen, target),
        notes=(*notes, *(passing.note(name, each) for each in passed or ())),
        passed=passed or (),
        fixed=chosen is named and not only,
    )


def _passed_on(name: str, wants: Wants) -> _Meant | None:
    """Return a name that nobody knows as a model of the providers that the caller names."""
    only = wants.preferences.only
    id_ = passing.unknown_id(name) if only else None
    passed = passing.unknown_model(id_, only, wants.catalog) if id_ else ()
    if id_ is None or not passed:
        return None
    return _Meant(
        targets=(Target(asked=name, model=id_),),
        strategy="direct",
        notes=tuple(passing.note(name, each) for each in passed),
        passed=passed,
    )


def _drawn(name: str, named: Named, wants: Wants, rng: Random) -> _Meant:
    """Return the free models, in the order in which they were drawn."""
    ids = free_models(wants.catalog, wants.preferences, wants.parameters, rng)
    target = _target(name, named)
    return _Meant(
        targets=tuple(structs.replace(target, model=id_, free=True) for id_ in ids),
        strategy="free",
        notes=_variant_notes(name, named),
    )


def _strategy(named: Named, chosen: Named, target: Target) -> str:
    if chosen is not named or named.how in {"renamed", "spelling"}:
        return "alias"
    if named.how == "latest":
        return "latest"
    return "free" if target.free else "direct"


def _dealiased(name: str, named: Named, catalog: Catalog, rng: Random) -> Named:
    """Return one of the models an alias stands for, drawn by weight; a model as it is."""
    alias = catalog.aliases.get(named.known)
    if alias is None:
        return named
    choices = _choices(alias, catalog)
    if not choices:
        models = ", ".join(target for target, _ in alias.targets)
        raise InvalidRequest(f"{name} is not a valid model ID: no such model as {models}")
    drawn = rng.choices([each for each, _ in choices], [weight for _, weight in choices])[0]
    return structs.replace(drawn, variants=drawn.variants + named.variants)


def _choices(alias: Alias, catalog: Catalog) -> list[tuple[Named, float]]:
    found = ((look_up(target, catalog), weight) for target, weight in alias.targets)
    return [(named, weight) for named, weight in found if named and named.known in catalog.models]


def _target(name: str, named: Named) -> Target:
    sorts = sorted({variant for variant in named.variants if variant in SORTS})
    if len(sorts) > 1:
        variants = " and ".join(f":{variant}" for variant in sorts)
        raise InvalidRequest(f"{name} is not a valid model ID: {variants} contradict each other")
    return Target(
        asked=name,
        model=named.known,
        free="free" in named.variants,
        sort=SORTS[sorts[0]] if sorts else None,
    )


def _notes(name: str, named: Named, chosen: Named) -> tuple[Note, ...]:
    detail = _resolution(name, named, chosen)
    resolved = (Note(Change.RESOLVED, "model", detail),) if detail else ()
    return (*resolved, *_variant_notes(name, chosen))


def _resolution(name: str, named: Named, chosen: Named) -> str:
    """Return how a name leads to the model that was chosen; empty where it is the model's own."""
    if chosen is not named:
        return f"{name} stands for {chosen.known}"
    if named.how in {"case", "spelling"}:
        return f"{name} is spelled {chosen.known}"
    if named.how == "latest":
        return f"{name} is {chosen.known} at present"
    return f"{name} leads to {chosen.known} ({named.why})" if named.how == "renamed" else ""


def _variant_notes(name: str, named: Named) -> tuple[Note, ...]:
    if "online" not in named.variants:
        return ()
    detail = f"{name} asks for web search, which has no effect in this version"
    return (Note(Change.NOT_APPLIED, "model", detail),)


def _unknown(name: str, names: tuple[str, ...], wants: Wants) -> InvalidRequest:
    catalog = wants.catalog
    known = catalog.latest if name.startswith("~") else chain(catalog.models, catalog.aliases)
    absent = _absent(name)
    near = () if absent else nearest(name.partition(":")[0], known, known=catalog.letters)
    served = tuple(id_ for id_ in near if _is_served(id_, catalog, NOTHING))
    hint = f". Did you mean {', '.join(near)}?" if near else absent
    if near and not served:
        hint += " None of these can be called here; GET /api/v1/models lists what can."
    return InvalidRequest(
        f"{name} is not a valid model ID{hint}",
        availability=Availability(
            code="model_not_found",
            retryable=False,
            requested_models=names,
            docs_url=AVAILABILITY_DOCS_URL,
            fallback_models=tuple(id_ for id_ in served if _is_served(id_, catalog, wants.outputs)),
        ),
    )


def _absent(name: str) -> str:
    """Say of what OpenRouter has and this version has not that it has not; empty for all else."""
    if "@preset/" in name:
        return ": there are no presets in this version"
    if name.partition(":")[0] in ROUTERS_TO_COME:
        return f": of OpenRouter's routers this version has {FREE_ROUTER} alone"
    return ""


def _is_served(name: str, catalog: Catalog, outputs: frozenset[str]) -> bool:
    """Say whether a model, alias or family can be called here without naming a provider.

    Only what puts out all of `outputs` counts; an alias that leads to several models always does.
    """
    named = look_up(name, catalog)
    model = None if named is None else catalog.models.get(named.known)
    if model is None:
        return name in catalog.aliases
    return any(
        is_default_route(each) and not each.free and outputs <= each.outputs
        for each in model.endpoints
    )
