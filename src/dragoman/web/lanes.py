"""What a request is before it is read: how large it may be, how urgent, what it understands."""

from enum import Enum

from msgspec import Struct

from dragoman.web.voices import IN_CHAT, Voice


class Tier(Enum):
    """Who is served first when not all can be."""

    HEALTH = "health"
    READINESS = "readiness"
    INFERENCE = "inference"
    CONTROL = "control"


class Lane(Struct, frozen=True):
    """What is known of a request by its path alone.

    `body_bytes` is the most it may bring, `voice` is for what the server has to say itself.
    """

    tier: Tier
    body_bytes: int
    voice: Voice = IN_CHAT
