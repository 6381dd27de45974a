"""How many tokens a request may come to, from its bytes: an estimate, and said to be one.

Text counts by what English takes; media by what Anthropic says of them: an image at most 1,568
tokens ("Vision"), a page of a document at most 3,000 ("PDF support").
"""

from dragoman.ledger.bound import Size
from dragoman.relay.meter import BYTES_PER_TOKEN
from dragoman.relay.sizing import size_of
from dragoman.wire.chat import ChatCall

IMAGE_TOKENS = 1_568
PAGE_TOKENS = 3_000
AUDIO_BYTES_PER_TOKEN = 1_000

_BESIDE_TEXT = ("tools", "response_format")
"""Members of a request that a model reads, too."""


def estimated_tokens(call: ChatCall) -> int:
    """Return about how many tokens a request has, at least one."""
    size: Size = size_of(call)
    beside = sum(len(call.members[name]) for name in _BESIDE_TEXT if name in call.members)
    media = (
        size.images * IMAGE_TOKENS
        + size.unsized * PAGE_TOKENS
        + size.audio_bytes // AUDIO_BYTES_PER_TOKEN
    )
    return max(1, -(-(call.text_bytes + beside) // BYTES_PER_TOKEN) + media)
