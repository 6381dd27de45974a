"""From a chat request to what it asks of the catalog, with a note on all that was changed."""

from random import Random

from msgspec import structs

from dragoman.catalog.ask import TYPED_TOOLS, Ask, Target
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import Catalog
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.shaping.preferences import resolve
from dragoman.shaping.targets import Meanings, Wants, find_targets
from dragoman.wire.chat import ChatCall
from dragoman.wire.preferences import Preferences

NO_EFFECT = "accepted, but without effect in this version"


def ask(
    call: ChatCall, catalog: Catalog, rng: Random, meanings: Meanings | None = None
) -> tuple[Ask, tuple[Note, ...]]:
    """Return what `call` asks for, in the words of `catalog`, and what was done to get there.

    `rng` draws among the models of a weighted alias, and the free ones. `meanings` remembers
    names between requests, and changes nothing. Raises
    InvalidRequest for models and providers that do not exist and for wishes that
    contradict each other, NoEndpoint where no model is left to plan for.
    """
    preferences = resolve(call.preferences, catalog)
    wants = Wants(catalog=catalog, preferences=preferences, parameters=call.parameters)
    look = find_targets if meanings is None else meanings.of
    found = look(call.models, wants, rng)
    if call.route_by_price:
        preferences = _by_price(preferences, found.targets)
    notes = (*found.notes, *_not_applied(call)) if call.not_applied else found.notes
    made = Ask(
        targets=found.targets,
        preferences=preferences,
        partition=call.partition,
        text_bytes=call.text_bytes if call.window_bytes is None else call.window_bytes,
        max_tokens=None if _has_to_say(call) else call.max_tokens,
        parameters=_parameters(call),
        inputs=call.inputs,
        outputs=call.outputs,
        strategy=found.strategy,
        passed=found.passed,
    )
    return made, notes


def _parameters(call: ChatCall) -> frozenset[str]:
    """Return the parameters that matter. Where all are required, some more than else:

    those that no endpoint is sent yet, and typed tools of Anthropic's, which an endpoint that
    cannot be given them otherwise does without, and that is noted.
    """
    if not call.preferences.require_parameters:
        return call.parameters
    tools = () if call.native is None else call.native.tools
    typed = {f"{TYPED_TOOLS}{name}" for name in tools}
    return call.parameters | typed | PARAMETERS.intersection(call.not_applied)


def _has_to_say(call: ChatCall) -> bool:
    """Whether the client's dialect makes every request say how long its answer may be.

    Then the number is the client's own most, 64,000 for every model at Claude Code, and no wish
    for an endpoint that can say so much: where one cannot, it is clamped.
    """
    return call.native is not None and call.native.dialect == "messages"


def _by_price(preferences: Preferences, targets: tuple[Target, ...]) -> Preferences:
    for target in targets:
        if target.sort not in {None, "price"}:
            raise InvalidRequest(f"route: 'lowest-cost' contradicts the variant of {target.asked}")
    return structs.replace(preferences, sort="price")


def _not_applied(call: ChatCall) -> list[Note]:
    return [Note(Change.NOT_APPLIED, field, NO_EFFECT) for field in call.not_applied]
