"""The settings of the gateway under siege, and the deadlines it is held to.

`DEADLINES` is the one place to change when a setting of the server changes its name.
A setting that the gateway does not know is left out, and the deadline that its
default should have is expected all the same.
"""

from typing import Any, Final

import msgspec

from dragoman.config import json_schema

SLACK_S: Final = 3.0
"""A sweep, a busy machine and the way to the client come on top of a deadline."""


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """How long a client may take. `setting` of the section `server` gets `wanted_s`."""

    setting: str
    wanted_s: float
    default_s: float
    """What holds where there is no such setting."""


HEAD: Final = Deadline(setting="header_s", wanted_s=10.0, default_s=30.0)
BODY: Final = Deadline(setting="body_s", wanted_s=10.0, default_s=15.0)
STALL: Final = Deadline(setting="stall_s", wanted_s=10.0, default_s=30.0)
DEADLINES: Final = (HEAD, BODY, STALL)

LINGER_S: Final = 10.0
"""For so long some answers are read on whose clients hung up: until then a file for each is open,
and that is no leak."""
UPSTREAM: Final = {
    "connections_per_host": 10_000, "idle_s": 600, "content_gap_s": 600, "request_s": 3600,
    "pool_s": 5, "linger_s": LINGER_S,
}  # fmt: skip
"""The mock's silence is not what is measured."""


def known() -> frozenset[str]:
    """Return the settings that the section `server` has."""
    return frozenset(json_schema()["$defs"]["ServerOptions"]["properties"])


def settings(there: frozenset[str]) -> dict[str, Any]:
    """Return the settings to start a gateway with that knows those `there`."""
    server = {each.setting: each.wanted_s for each in DEADLINES if each.setting in there}
    return {"server": server, "upstream": UPSTREAM}


def due_s(deadline: Deadline, there: frozenset[str]) -> float:
    """Return within how many seconds a gateway that knows the settings `there` must act."""
    return deadline.wanted_s if deadline.setting in there else deadline.default_s
