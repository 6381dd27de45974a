"""How this API tells of errors: its codes, and limits that are no failure in it.

Source: OpenRouter, errors-and-debugging, "Responses": which error becomes which code, and the
errors about length that become an incomplete response.
"""

from typing import Final

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import encode
from dragoman.wire.errors import MASKED

CUT: Final = frozenset({
    "context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long",
})  # fmt: skip
"""Types of errors that end a response for its length instead of failing it."""

CODES: Final = {
    "rate_limit_exceeded": "rate_limit_exceeded",
    "invalid_request": "invalid_prompt",
    "invalid_prompt": "invalid_prompt",
    "content_policy_violation": "image_content_policy_violation",
    "invalid_image": "invalid_image",
    "image_too_large": "image_too_large",
    "image_too_small": "image_too_small",
    "unsupported_image_format": "unsupported_image_media_type",
    "image_not_found": "image_file_not_found",
    "image_download_failed": "failed_to_download_image",
}
"""Type of an error -> `error.code` (OpenAI, `ResponseError`); all others are `server_error`."""

CODEX: Final = "codex"
"""What the header `originator` of Codex begins with."""


def is_cut(error: GatewayError) -> bool:
    """Whether an error ends a response for its length."""
    return error.type in CUT


def error_body(error: GatewayError, *, codex: bool = False) -> bytes:
    """Return `{"code","message"}`.

    Codex shortens its conversation on OpenAI's own word for too long a one, and takes an
    incomplete response for a broken stream (codex-rs, `is_context_window_error`).
    """
    code = CODES.get(error.type, "server_error")
    if codex and error.type in CUT:
        code = "context_length_exceeded"
    message = MASKED if error.code == 500 else error.message
    return encode({"code": code, "message": message})
