"""What passes between the counter of tokens and its helper: see `token_helper`."""

from typing import Final

LENGTH_BYTES: Final = 4
NOBODY_KNOWS: Final = 2**32 - 1
"""The answer to what cannot be counted."""
