"""What a refusal means: from status and machine code to the class that decides what is next.

A sentence is not read for its meaning: whoever can make a provider echo a word
could then park a credential for everybody (reliability: "Error classes"). The one exception
is harmless (`providers.too_long`): which of a caller's mistakes it was. Known
machine codes win over the status, since hosts disagree about statuses: Groq says
413 for a rate limit, OpenAI says 429 for an empty purse.

A 403 without a code that we know says nothing of the credential: hosts answer so where an account
has no access to one model, and where content breaks their rules (xAI).

A 404 counts against the endpoint, not the caller: the caller named a model of our
catalog, and it is our row that does not fit the provider any more. Only a 404
about another parameter (a file, an image) is the caller's.
"""

from collections.abc import Mapping, Sequence

from dragoman.providers.dialect import Fault, Kind
from dragoman.providers.openai.words import Words, read_words, shorten
from dragoman.providers.retry_after import retry_after_s
from dragoman.providers.too_long import says_too_long
from dragoman.wire.hub import StreamFault

LONGEST_RAW = 4096

Meaning = tuple[Kind, str]

UNAVAILABLE: Meaning = (Kind.TRANSIENT, "provider_unavailable")
OVERLOADED: Meaning = (Kind.TRANSIENT, "provider_overloaded")
LATE: Meaning = (Kind.TRANSIENT, "timeout")
REFUSED: Meaning = (Kind.CREDENTIAL, "provider_unavailable")
DENIED: Meaning = (Kind.FORBIDDEN, "provider_unavailable")
LIMITED: Meaning = (Kind.RATE, "rate_limit_exceeded")
NOT_FOUND: Meaning = (Kind.CALLER, "not_found")
TOO_LONG: Meaning = (Kind.CALLER, "context_length_exceeded")
BROAD = frozenset({"invalid_request", "unprocessable", "payload_too_large"})
"""What a status alone says of a caller's mistake."""

_CALLER_CODES = {
    "context_length_exceeded": "context_length_exceeded",
    "exceed_context_size_error": "context_length_exceeded",  # llama.cpp
    "max_tokens_exceeded": "max_tokens_exceeded",
    "token_limit_exceeded": "token_limit_exceeded",
    "string_above_max_length": "string_too_long",
    "string_too_long": "string_too_long",
    "content_filter": "content_policy_violation",
    "content_policy_violation": "content_policy_violation",
    "image_content_policy_violation": "content_policy_violation",
    "responsibleaipolicyviolation": "content_policy_violation",  # Azure
    "data_inspection_failed": "content_policy_violation",  # Alibaba
    "refusal": "refusal",
    "invalid_prompt": "invalid_prompt",
    "invalid_image": "invalid_image",
    "invalid_base64_image": "invalid_image",
    "image_parse_error": "invalid_image",
    "empty_image_file": "invalid_image",
    "image_too_large": "image_too_large",
    "image_file_too_large": "image_too_large",
    "image_too_small": "image_too_small",
    "invalid_image_format": "unsupported_image_format",
    "unsupported_image_format": "unsupported_image_format",
    "unsupported_image_media_type": "unsupported_image_format",
    "invalid_image_url": "image_download_failed",
    "failed_to_download_image": "image_download_failed",
    "image_download_failed": "image_download_failed",
    "image_file_not_found": "image_not_found",
    "image_not_found": "image_not_found",
    "request_too_large": "payload_too_large",  # Anthropic
    "payload_too_large": "payload_too_large",
    "unprocessable": "unprocessable",
}
_REFUSED_CODES = (
    "account_deactivated",
    "api_key_invalid",  # Google
    "billing_hard_limit_reached",
    "billing_not_active",
    "credit_limit",  # Together
    "enforced_spend_limit_reached",  # Anthropic
    "exceeded_current_quota_error",  # Moonshot
    "failed_precondition",  # Google: billing off, or the region is not served
    "incorrect_api_key",
    "insufficient_balance",
    "insufficient_credits",
    "insufficient_quota",
    "invalid_api_key",
    "wrong_api_key",  # Cerebras
)
_LIMITED_CODES = (
    "rate_limit_exceeded",
    "rate_limit_error",
    "request_quota_exceeded",  # Cerebras
    "resource_exhausted",  # Google
    "token_quota_exceeded",  # Cerebras
    "too_many_requests",
)
_OVERLOADED_CODES = (
    "engine_overloaded_error",  # Moonshot
    "model_overloaded",
    "overloaded",  # TGI
    "overloaded_error",  # Anthropic
    "provider_overloaded",
    "slow_down",
)
_UNAVAILABLE_CODES = (
    "deploymentnotfound",  # Azure
    "json_validate_failed",  # Groq: what the model wrote was at fault
    "model_not_found",
    "model_not_found_error",
    "provider_unavailable",
    "tool_use_failed",  # Groq: the same
)

MEANING_OF_CODE: Mapping[str, Meaning] = {
    **{code: (Kind.CALLER, name) for code, name in _CALLER_CODES.items()},
    **dict.fromkeys(_REFUSED_CODES, REFUSED),
    **dict.fromkeys(_LIMITED_CODES, LIMITED),
    **dict.fromkeys(_OVERLOADED_CODES, OVERLOADED),
    **dict.fromkeys(_UNAVAILABLE_CODES, UNAVAILABLE),
}

MEANING_OF_STATUS: Mapping[int, Meaning] = {
    400: (Kind.CALLER, "invalid_request"),
    401: REFUSED,
    402: REFUSED,
    403: DENIED,
    408: LATE,
    413: (Kind.CALLER, "payload_too_large"),
    422: (Kind.CALLER, "unprocessable"),
    429: LIMITED,
    498: LIMITED,  # Groq: no capacity in the flex tier
    503: OVERLOADED,
    504: LATE,
    522: LATE,
    524: LATE,
    529: OVERLOADED,
}

MEANING_WITHOUT_STATUS: Mapping[str, Meaning] = {
    "invalid_request": (Kind.CALLER, "invalid_request"),
    "invalid_request_error": (Kind.CALLER, "invalid_request"),
    "badrequesterror": (Kind.CALLER, "invalid_request"),  # vLLM
    "invalid_argument": (Kind.CALLER, "invalid_request"),  # Google
    "authentication": REFUSED,
    "authentication_error": REFUSED,
    "payment_required": REFUSED,
    "billing_error": REFUSED,
    "permission_denied": DENIED,
    "permission_error": DENIED,
    "unauthenticated": REFUSED,
    "timeout": LATE,
    "timeout_error": LATE,
    "deadline_exceeded": LATE,
}
"""Broad words, which say less than a status does. Whatever is in no table is transient."""


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Classify an HTTP answer that is not a success. `headers` has lower-case names."""
    words = read_words(body)
    message = words.message or _plain(body) or f"HTTP {status}"
    found = _about_another_thing(status, words) or meaning(status, words.codes)
    kind, error_type = narrowed(found, message)
    return Fault(
        kind=kind,
        error_type=error_type,
        message=message,
        status=status,
        code=telling(words.codes),
        retry_after_s=retry_after_s(headers),
        raw=body[:LONGEST_RAW].decode("utf-8", "replace") or None,
    )


def fault_of_stream(said: StreamFault) -> Fault:
    """Classify an error that came inside a stream, or in the body of a success."""
    codes = (said.code,) if said.code else ()
    kind, error_type = narrowed(meaning(said.status, codes), said.message)
    return Fault(
        kind=kind,
        error_type=error_type,
        message=said.message,
        status=said.status,
        code=said.code,
    )


def stream_fault(data: bytes) -> StreamFault:
    """Read the JSON of an error that came inside a stream, or in the body of a success."""
    words = read_words(data)
    return StreamFault(
        status=words.status,
        code=telling(words.codes, has_status=words.status is not None),
        message=words.message or "the provider reported an error without a message",
    )


def meaning(status: int | None, codes: Sequence[str]) -> Meaning:
    """Return the class of a failure, and our name for it."""
    for code in codes:
        known = MEANING_OF_CODE.get(code.lower())
        if known is not None:
            return known
    if status is not None:
        return MEANING_OF_STATUS.get(status, UNAVAILABLE)
    for code in codes:
        known = MEANING_WITHOUT_STATUS.get(code.lower())
        if known is not None:
            return known
    return UNAVAILABLE


def narrowed(found: Meaning, message: str) -> Meaning:
    """Return what a caller's mistake was where its sentence says so and no code did."""
    kind, error_type = found
    if kind is Kind.CALLER and error_type in BROAD and says_too_long(message):
        return TOO_LONG
    return found


def telling(codes: Sequence[str], *, has_status: bool = True) -> str | None:
    """Return the code that decides the meaning, else the first."""
    tables = (MEANING_OF_CODE,) if has_status else (MEANING_OF_CODE, MEANING_WITHOUT_STATUS)
    known = (code for table in tables for code in codes if code.lower() in table)
    return next(known, codes[0] if codes else None)


def _about_another_thing(status: int, words: Words) -> Meaning | None:
    """A 404 that names a parameter other than the model, by a code we do not know."""
    if status != 404 or words.param in {None, "model"}:
        return None
    if any(code.lower() in MEANING_OF_CODE for code in words.codes):
        return None
    return NOT_FOUND


def _plain(body: bytes) -> str | None:
    """Return a body that is a plain sentence, None for pages and structures."""
    text = body[:LONGEST_RAW].decode("utf-8", "replace").strip()
    return None if text[:1] in {"", "<", "{", "["} else shorten(text)
