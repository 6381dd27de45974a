"""From a chat request to what it asks of the catalog, with a note on all that was changed."""

from random import Random

from msgspec import structs

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import Catalog
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.shaping.preferences import resolve
from dragoman.shaping.targets import Wants, find_targets
from dragoman.wire.chat import ChatCall
from dragoman.wire.preferences import Preferences

NO_EFFECT = "accepted, but without effect in this version"


def ask(call: ChatCall, catalog: Catalog, rng: Random) -> tuple[Ask, tuple[Note, ...]]:
    """Return what `call` asks for, in the words of `catalog`, and what was done to get there.

    `rng` draws among the models of a weighted alias, and the free ones. Raises
    InvalidRequest for models and providers that do not exist and for wishes that
    contradict each other, NoEndpoint where no model is left to plan for.
    """
    preferences = resolve(call.preferences, catalog)
    wants = Wants(catalog=catalog, preferences=preferences, parameters=call.parameters)
    found = find_targets(call.models, wants, rng)
    if call.route_by_price:
        preferences = _by_price(preferences, found.targets)
    notes = (*found.notes, *_not_applied(call))
    made = Ask(
        targets=found.targets,
        preferences=preferences,
        partition=call.partition,
        text_bytes=call.text_bytes,
        max_tokens=call.max_tokens,
        parameters=call.parameters,
        inputs=call.inputs,
        outputs=call.outputs,
        strategy=found.strategy,
        passed=found.passed,
    )
    return made, notes


def _by_price(preferences: Preferences, targets: tuple[Target, ...]) -> Preferences:
    for target in targets:
        if target.sort not in {None, "price"}:
            raise InvalidRequest(f"route: 'lowest-cost' contradicts the variant of {target.asked}")
    return structs.replace(preferences, sort="price")


def _not_applied(call: ChatCall) -> list[Note]:
    return [Note(Change.NOT_APPLIED, field, NO_EFFECT) for field in call.not_applied]
