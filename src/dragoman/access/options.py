"""What an operator may set about keys."""

import string

from msgspec import Struct

PREFIX_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")
PREFIX_LENGTH = 32


class AccessOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How new keys look. Keys made under an earlier prefix stay good."""

    key_prefix: str = "sk-dm-v1-"

    def __post_init__(self) -> None:
        if not 0 < len(self.key_prefix) <= PREFIX_LENGTH or set(self.key_prefix) - PREFIX_LETTERS:
            raise ValueError(
                f"key_prefix {self.key_prefix!r}: give 1 to {PREFIX_LENGTH} ASCII letters, digits, "
                "hyphens or underscores"
            )
