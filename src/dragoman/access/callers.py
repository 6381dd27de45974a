"""From a key to a caller: what the key's row and the settings mean for its requests."""

from dragoman.access.options import AccessOptions
from dragoman.access.rates import NO_RATES, Bound, Rates
from dragoman.access.types import DEFAULT_ACCOUNT, Admission, Caller, Key, Role, Terms
from dragoman.catalog.byok import Byok
from dragoman.core.errors import PermissionDenied

NOT_FOR_INFERENCE = (
    "Management keys cannot be used for inference. Make an inference key with POST /api/v1/keys."
)
NOT_FOR_MANAGEMENT = "Only management keys can perform this operation"
NOT_FOR_MEMBERS = "Only organization admins can perform this operation"
FREE = Terms()


def caller_of(
    admission: Admission, hash_: str, options: AccessOptions, byok: tuple[Byok, ...] = ()
) -> Caller:
    """Return the caller that a key stands for.

    `hash_` is the key's hash: the very string it is remembered by, which is not small.
    `byok` is what its account brings along.
    """
    key = admission.key
    # All others need no terms for it, and are admitted faster without.
    manager = key.member if key.kind == "management" else None
    terms = Terms(
        management=key.kind == "management",
        expires_at=key.expires_at,
        allowed_models=frozenset(key.allowed_models),
        allowed_providers=frozenset(key.allowed_providers),
        bounds=_bounds(key, options),
        funds=admission.funds,
        limits_addresses=options.address_limits != NO_RATES,
        store_content=key.store_content,
        member=None if manager is None else manager.id,
        role=None if manager is None else manager.role,
        high_balance=options.free_models is not None
        and options.free_models.is_high(admission.bought),
    )
    return Caller(
        key_hash=hash_,
        account=DEFAULT_ACCOUNT if key.account == DEFAULT_ACCOUNT else key.account,
        terms=None if terms == FREE else terms,
        byok=byok,
    )


def check_inference(terms: Terms) -> None:
    """Raise PermissionDenied for a key that manages: it is not for programs that talk to models."""
    if terms.management:
        raise PermissionDenied(NOT_FOR_INFERENCE)


def check_management(caller: Caller) -> None:
    """Raise PermissionDenied, in OpenRouter's words, for a key that does not manage."""
    if caller.terms is None or not caller.terms.management:
        raise PermissionDenied(NOT_FOR_MANAGEMENT)


def check_administration(caller: Caller) -> None:
    """Raise PermissionDenied for a key that manages nothing, or no more than a member's own keys.

    Source: OpenRouter, "Organization management": members neither buy credits nor change what
    counts for all; what was said is for administrators.
    """
    check_management(caller)
    if role_of(caller) == "member":
        raise PermissionDenied(NOT_FOR_MEMBERS)


def role_of(caller: Caller) -> Role:
    """Return the role of a management key: of its member; one of nobody is the owner's."""
    role = None if caller.terms is None else caller.terms.role
    return role or "owner"


def _bounds(key: Key, options: AccessOptions) -> tuple[Bound, ...]:
    found = (
        Bound("key", key.hash, Rates(rpm=key.rpm, tpm=key.tpm, concurrency=key.concurrency)),
        Bound("account", key.account, options.account_limits),
    )
    return tuple(bound for bound in found if bound.rates != NO_RATES)
