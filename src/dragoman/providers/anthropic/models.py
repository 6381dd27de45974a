"""What a model of the Claude family takes, told by its name: hosts and catalogs do not say.

A name that is not understood is taken for a model with a budget to think and none of the rest:
so are the models of others that are served in this dialect.

Sources, read 2026-11: platform.claude.com/docs, "Adaptive thinking", "Effort", "Structured
outputs", "Mid-conversation system messages", "Errors" (prefill), the pages "What's new" and
"Migration guide" of Claude 4.6, Opus 4.7, 4.8, 5, 5.5, Sonnet 5, 5.5, Haiku 5.5 and Fable 5.1;
OpenRouter docs, model-migrations.
"""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

Off = Literal["absent", "disabled", "between_tools", "never"]

MOST_NAMES = 1024
NO_EFFORTS: tuple[str, ...] = ()
_EFFORTS = ("low", "medium", "high", "xhigh", "max")

_NAME = re.compile(
    r"claude-(?:(?P<m>\d{1,2})(?:[-.](?P<n>\d{1,2}))?-)?"
    r"(?P<family>opus|sonnet|haiku|fable|mythos)"
    r"(?:-(?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?)?"
)
_ALWAYS_THINK = frozenset({"fable", "mythos"})


class Traits(Struct, frozen=True, kw_only=True):
    """What one model takes."""

    known: bool = True
    """Whether it is of the family at all."""
    budget: bool = True
    """Whether thinking can be given a budget (`thinking.type: enabled`)."""
    adaptive: bool = False
    """Whether the model may decide how long to think (`thinking.type: adaptive`)."""
    off: Off = "absent"
    """How it is told not to think: by saying nothing, by a word, or not at all."""
    efforts: tuple[str, ...] = NO_EFFORTS
    """What `output_config.effort` may be, weakest first."""
    samples: bool = True
    """Whether it takes temperature, top_p and top_k."""
    samples_twice: bool = True
    """Whether it takes temperature and top_p together."""
    forced: bool = True
    """Whether it can be made to call a tool."""
    system_turns: bool = False
    """Whether a message in the midst of a conversation may be the system's."""
    structured: bool = False
    """Whether answers and tool calls can be bound to a schema."""

    @property
    def thinks(self) -> bool:
        """Whether it can be asked to think."""
        return self.budget or self.adaptive


@lru_cache(maxsize=MOST_NAMES)
def traits(upstream: str) -> Traits:
    """Return what the model takes that a host calls `upstream`."""
    found = _NAME.search(upstream.lower())
    if found is None:
        return Traits(known=False)
    version = _version(found)
    family = found["family"]
    return Traits(
        budget=(3, 7) <= version < (4, 7),
        adaptive=version >= (4, 6),
        off=_off(family, version),
        efforts=_efforts(family, version),
        samples=version < (4, 7),
        samples_twice=version < (4, 1),
        forced=not _never_forced(family, version),
        system_turns=version >= (5, 0) or (family == "opus" and version >= (4, 8)),
        structured=version >= (4, 5),
    )


def _version(found: re.Match[str]) -> tuple[int, int]:
    """Return the version in a name; a name without one is newer than those with."""
    major, minor = found["m"] or found["major"], found["n"] or found["minor"]
    if found["m"]:
        minor = found["n"]
    return (5, 0) if major is None else (int(major), int(minor or 0))


def _off(family: str, version: tuple[int, int]) -> Off:
    if family in _ALWAYS_THINK:
        return "never"
    if version < (5, 0):
        return "absent"
    if version < (5, 5) or family == "haiku":
        return "disabled"
    return "never" if family == "opus" else "between_tools"


def _efforts(family: str, version: tuple[int, int]) -> tuple[str, ...]:
    if version >= (4, 7):
        return _EFFORTS
    if version == (4, 6):
        return ("low", "medium", "high", "max")
    return ("low", "medium", "high") if (family, version) == ("opus", (4, 5)) else NO_EFFORTS


def _never_forced(family: str, version: tuple[int, int]) -> bool:
    if family in _ALWAYS_THINK:
        return version >= (5, 1)
    return family != "haiku" and version >= (5, 5)
