"""What a request asks of the catalog, with all that its key, its account and its session add."""

from random import Random

from msgspec.structs import replace

from dragoman.catalog.ask import Ask
from dragoman.catalog.types import Catalog
from dragoman.core.notes import Change, Note
from dragoman.relay.bounds import confined
from dragoman.relay.visit import Desk, Visit
from dragoman.relay.warmth import opening
from dragoman.routing.sessions import session_key
from dragoman.shaping.ask import NO_EFFECT, ask

MANY = 2
NO_CACHE = Note(
    Change.NOT_APPLIED,
    "X-OpenRouter-Cache",
    f"{NO_EFFECT}: no answer is kept, keep those that you ask for again",
)
NO_REPLAY = Note(
    Change.NOT_APPLIED,
    "Idempotency-Key",
    f"{NO_EFFECT}: each request is served, and charged, once more",
)


def wishes(desk: Desk, visit: Visit, catalog: Catalog) -> tuple[Ask, tuple[Note, ...]]:
    """Return what a request asks for, and what was changed to get there.

    A conversation that is named, by its session or by a key for the caches of prompts, draws
    the same each time: its aliases, its free models, and who comes first of a model's
    endpoints. One without a name does so among the endpoints, where caches were seen to be
    used. Raises what `dragoman.shaping.ask.ask` raises.
    """
    call, caller, rng = visit.call, visit.caller, desk.rng
    session = None
    name = visit.session_id or call.cache_key
    if name and call.kind == "chat":
        session = session_key(name)
        rng = Random(session)  # noqa: S311 - a lottery, not a secret
    wants, notes = ask(call, catalog, rng, desk.meanings)
    if session is None and desk.warmth.until and _is_warm(desk, visit, wants, catalog):
        session = session_key(opening(call.members))
    if session is not None:
        wants = replace(wants, session=session)
    if visit.wants_cache:
        notes += (NO_CACHE,)
    if visit.wants_replay:
        notes += (NO_REPLAY,)
    if caller.terms is not None:
        wants = confined(wants, caller.terms)
    if caller.byok:
        wants = replace(wants, byok=caller.byok)
    return wants, notes


def _is_warm(desk: Desk, visit: Visit, wants: Ask, catalog: Catalog) -> bool:
    """Say whether the account's caches at the first model matter to who is drawn there."""
    target, liked = wants.targets[0], wants.preferences
    if not desk.warmth.lately(visit.caller.account, target.model, visit.arrived):
        return False
    known = catalog.models.get(target.model)
    if known is None or len(known.endpoints) < MANY:
        return False
    return not (target.sort or liked.sort or liked.order)
