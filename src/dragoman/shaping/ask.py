"""From a chat request to what it asks of the catalog, with a note on all that was changed."""

from random import Random

from msgspec import structs

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import Catalog
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.shaping.preferences import resolve
from dragoman.shaping.targets import find_targets
from dragoman.wire.chat import ChatCall
from dragoman.wire.preferences import Preferences

NO_EFFECT = "accepted, but without effect in this version"


def ask(call: ChatCall, catalog: Catalog, rng: Random) -> tuple[Ask, tuple[Note, ...]]:
    """Return what `call` asks for, in the words of `catalog`, and what was done to get there.

    `rng` draws among the models of a weighted alias. Raises InvalidRequest for models
    and providers that do not exist, and for wishes that contradict each other.
    """
    found = find_targets(call.models, catalog, rng)
    preferences = resolve(call.preferences, catalog)
    if call.route_by_price:
        preferences = _by_price(preferences, found.targets)
    notes = (*found.notes, *_not_applied(call))
    wants = Ask(
        targets=found.targets,
        preferences=preferences,
        partition=call.partition,
        text_bytes=call.text_bytes,
        max_tokens=call.max_tokens,
        parameters=call.parameters,
        inputs=call.inputs,
        outputs=call.outputs,
        strategy=found.strategy,
    )
    return wants, notes


def _by_price(preferences: Preferences, targets: tuple[Target, ...]) -> Preferences:
    for target in targets:
        if target.sort not in {None, "price"}:
            raise InvalidRequest(f"route: 'lowest-cost' contradicts the variant of {target.asked}")
    return structs.replace(preferences, sort="price")


def _not_applied(call: ChatCall) -> list[Note]:
    notes = [Note(Change.NOT_APPLIED, field, NO_EFFECT) for field in call.not_applied]
    most = call.preferences.max_price
    if most is not None and most.audio is not None:
        detail = "no price of audio is known to the catalog"
        notes.append(Note(Change.NOT_APPLIED, "provider.max_price.audio", detail))
    return notes
