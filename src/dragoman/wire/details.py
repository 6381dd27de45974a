"""Details of reasoning, as the hub has them: so far as they are read, or all that they hold.

What vouches for reasoning travels in them, and has to come back as it was
(OpenRouter, reasoning-tokens).
"""

from typing import Any

import msgspec
from msgspec import Struct

Detail = dict[str, Any]
"""All members of a detail."""


class ReasoningDetail(Struct, frozen=True, gc=False):
    """A detail of reasoning, whole or a fragment; fragments of one share type and index."""

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None

    def members(self) -> Detail:
        """Return what it has."""
        return {
            name: value for name, value in msgspec.structs.asdict(self).items() if value is not None
        }


read_details = msgspec.json.Decoder(list[ReasoningDetail]).decode
