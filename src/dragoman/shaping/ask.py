"""From a chat request to what it asks of the catalog, with a note on all that was changed."""

from random import Random

from msgspec import structs

from dragoman.catalog.ask import TYPED_TOOLS, Ask, Target
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import Catalog
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.shaping.preferences import resolve, tier_notes
from dragoman.shaping.targets import Meanings, Wants, find_targets
from dragoman.wire.chat import NO_WISHES, ChatCall
from dragoman.wire.hub import Native
from dragoman.wire.preferences import Preferences

NO_EFFECT = "accepted, but without effect in this version"

SEARCH = "offer a function as a tool, or ask a model that searches by itself"
SHORTEN = "leave out what the model's window has no room for"
ROUTER = "name the models to be tried in `models`"

INSTEAD = {
    "preset": "send the settings that it stands for",
    "transforms": SHORTEN,
    "plugins.auto-router": ROUTER,
    "plugins.auto-beta-router": ROUTER,
    "plugins.context-compression": SHORTEN,
    "plugins.file-parser": "ask a model that takes files",
    "plugins.moderation": "check what is said before you send it",
    "plugins.pareto-router": ROUTER,
    "plugins.response-healing": "ask for a `json_schema` with `strict`",
    "plugins.web": SEARCH,
    "plugins.web-fetch": SEARCH,
    "tools": "offer a function, which you run",
    "tool_choice": "choose a function, which you run",
    "web_search_options": SEARCH,
    "x_search_filter": SEARCH,
    "max_tool_calls": "count the calls that you answer",
    "stop_server_tools_when": "stop answering calls",
}
"""What a caller can do where a field has no effect, by the field or by what it is a member of."""


def ask(
    call: ChatCall, catalog: Catalog, rng: Random, meanings: Meanings | None = None
) -> tuple[Ask, tuple[Note, ...]]:
    """Return what `call` asks for, in the words of `catalog`, and what was done to get there.

    `rng` draws among the models of a weighted alias, and the free ones. `meanings` remembers
    names between requests, and changes nothing. Raises
    InvalidRequest for models and providers that do not exist and for wishes that
    contradict each other, NoEndpoint where no model is left to plan for.
    """
    preferences = call.preferences
    if preferences is not NO_WISHES:
        preferences = resolve(preferences, catalog)
    found = meanings and meanings.known(call.models, catalog, preferences)
    if not found:
        wants = Wants(
            catalog=catalog,
            preferences=preferences,
            parameters=call.parameters,
            outputs=call.outputs,
        )
        look = find_targets if meanings is None else meanings.of
        found = look(call.models, wants, rng)
    if call.route_by_price:
        preferences = _by_price(preferences, found.targets)
    notes = (*found.notes, *_not_applied(call)) if call.not_applied else found.notes
    if preferences is not NO_WISHES:
        models = [target.model for target in found.targets]
        notes += tuple(tier_notes(preferences, models, catalog))
    made = Ask(
        targets=found.targets,
        preferences=preferences,
        partition=call.partition,
        text_bytes=call.text_bytes if call.window_bytes is None else call.window_bytes,
        max_tokens=call.max_tokens if call.native is None else _most_wished(call, call.native),
        parameters=call.parameters if not preferences.require_parameters else _required(call),
        inputs=call.inputs,
        outputs=call.outputs,
        strategy=found.strategy,
        passed=found.passed,
    )
    return made, notes


def _required(call: ChatCall) -> frozenset[str]:
    """Return the parameters that matter where all are required, some more than else:

    those that no endpoint is sent yet, and typed tools of Anthropic's, which an endpoint that
    cannot be given them otherwise does without, and that is noted.
    """
    tools = () if call.native is None else call.native.tools
    typed = {f"{TYPED_TOOLS}{name}" for name in tools}
    return call.parameters | typed | PARAMETERS.intersection(call.not_applied)


def _most_wished(call: ChatCall, native: Native) -> int | None:
    """Return how long an answer the endpoint has to be able to give.

    Where the client's dialect makes every request say so, the number is the client's own most,
    64,000 for every model at Claude Code, and no wish: where an endpoint cannot, it is clamped.
    """
    return None if native.dialect == "messages" else call.max_tokens


def _by_price(preferences: Preferences, targets: tuple[Target, ...]) -> Preferences:
    for target in targets:
        if target.sort not in {None, "price"}:
            raise InvalidRequest(f"route: 'lowest-cost' contradicts the variant of {target.asked}")
    return structs.replace(preferences, sort="price")


def _not_applied(call: ChatCall) -> list[Note]:
    return [Note(Change.NOT_APPLIED, field, _unapplied(field)) for field in call.not_applied]


def _unapplied(field: str) -> str:
    instead = INSTEAD.get(field) or INSTEAD.get(field.partition(".")[0])
    return f"{NO_EFFECT}: {instead}" if instead else NO_EFFECT
