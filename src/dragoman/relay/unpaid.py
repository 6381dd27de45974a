"""What a caller is told whose money is not enough: 402 and 403 in OpenRouter's words. Pure.

A key that has used up its limit gets 403; one whose limit is too small for the request, and
an account without credit, 402 (OpenRouter's docs, "Limits", and its answers as clients
report them). The first sentence is what clients look for; what to do about it is ours.
"""

from datetime import UTC, datetime

from msgspec import Struct

from dragoman.core.errors import GatewayError, PaymentRequired, PermissionDenied
from dragoman.core.money import NanoUsd, usd
from dragoman.ledger.purses import Purse, Reason, Refusal, parse, window_end

RETRY_S = 2
MEMBER_BUDGET, USER_LIMIT = "member_budget", "user"
"""Where the limit is that a member has met, or an end user; OpenRouter has no word for either."""
WORDS = {"total": "total", "daily": "daily", "weekly": "weekly", "monthly": "monthly"}


class Wish(Struct, frozen=True, kw_only=True):
    """What could not be paid: for so many tokens of output, of which so many could be.

    `affordable` is None when nothing bounds it, and below zero when not even the prompt
    could be paid.
    """

    amount: int
    tokens: int
    affordable: int | None
    prompt: int
    affordable_prompt: int
    """How many tokens of prompt could be paid, at the endpoint where most could."""


def unpaid(refused: tuple[Refusal, ...], wish: Wish) -> GatewayError:
    """Return the error for a request that these purses have no room for.

    The one that cannot have room is named before one that may have it soon.
    """
    first = min(refused, key=lambda each: each.reason is Reason.IN_FLIGHT)
    purse = parse(first.purse)
    if first.reason is Reason.IN_FLIGHT:
        return _in_flight(purse)
    left = (first.balance.limit or 0) - first.balance.spent
    if _is_key(purse):
        return _key_spent(purse) if left <= 0 else _too_dear(wish, left, purse)
    if _is_user(purse) and left <= 0:
        return _user_spent(purse)
    if _is_member(purse) and left <= 0:
        return _budget_spent(purse, first.balance.limit or 0)
    return _no_credit() if left <= 0 else _too_dear(wish, left, purse)


def _in_flight(purse: Purse) -> GatewayError:
    hint = "Retry when requests that are under way have ended, or lower max_tokens."
    whose = "key's limit" if _is_key(purse) else "account's credit"
    if _is_member(purse):
        whose = "member's budget"
    elif _is_user(purse):
        whose = "user's limit"
    return PaymentRequired(
        f"The {whose} is reserved by requests that are under way. {hint}",
        metadata={
            "reason": "in_flight_budget_exhausted",
            "limit_source": "openrouter_in_flight_budget",
            "remedy_hint": hint,
        },
        retry_after_s=RETRY_S,
    )


def _key_spent(purse: Purse) -> GatewayError:
    hint = _or_wait("Raise it with PATCH /api/v1/keys/{hash} or `dragoman keys limit`", purse)
    return PermissionDenied(
        f"Key limit exceeded ({WORDS[purse.interval]} limit). {hint}",
        metadata={"limit_source": "openrouter_key_limit", "remedy_hint": hint},
    )


def _user_spent(purse: Purse) -> GatewayError:
    hint = _or_wait("Raise user_limit of the key with PATCH /api/v1/keys/{hash}", purse)
    return PermissionDenied(
        f"User limit exceeded ({WORDS[purse.interval]} limit). {hint}",
        metadata={"limit_source": USER_LIMIT, "remedy_hint": hint},
    )


def _or_wait(hint: str, purse: Purse) -> str:
    """Return what to do, or until when to wait for the next window, if there will be one."""
    end = window_end(purse.interval, purse.window_start)
    if end is not None:
        hint += f", or wait until {datetime.fromtimestamp(end, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{hint}."


def _budget_spent(purse: Purse, limit: int) -> GatewayError:
    """Say it as OpenRouter says it of a workspace's budget (guides, "Workspace budgets")."""
    hint = "Contact your org admin."
    return PermissionDenied(
        f"Member {WORDS[purse.interval]} budget of ${usd(NanoUsd(limit)):,.2f} exceeded. {hint}",
        metadata={"limit_source": MEMBER_BUDGET, "remedy_hint": hint},
    )


def _no_credit() -> GatewayError:
    hint = "Add credit with `dragoman credits add`, or ask who runs this gateway."
    return PaymentRequired(
        f"Insufficient credits. {hint}",
        metadata={"limit_source": "openrouter_credits", "remedy_hint": hint},
    )


def _too_dear(wish: Wish, left: int, purse: Purse) -> GatewayError:
    more, source = "To increase, add more credits", "openrouter_credits"
    if _is_key(purse):
        more = f"To increase, raise the key's {WORDS[purse.interval]} limit"
        source = "openrouter_key_limit"
    elif _is_member(purse):
        more = f"To increase, ask your org admin for a higher {WORDS[purse.interval]} budget"
        source = MEMBER_BUDGET
    elif _is_user(purse):
        more = f"To increase, raise the {WORDS[purse.interval]} user_limit of the key"
        source = USER_LIMIT
    affordable = wish.affordable
    if affordable is not None and affordable < 0:
        message = f"Prompt tokens limit exceeded: {wish.prompt} > {wish.affordable_prompt}. {more}."
        hint = f"Shorten the prompt. {more}."
    else:
        message = (
            "This request requires more credits, or fewer max_tokens. You requested up to"
            f" {wish.tokens} tokens, but can only afford {affordable or 0}. {more}."
        )
        hint = f"Set max_tokens to {affordable or 0} or less. {more}."
    return PaymentRequired(
        message,
        metadata={
            "reason": "weight_exceeds_budget",
            "limit_source": source,
            "remedy_hint": hint,
            "required_usd": usd(NanoUsd(wish.amount)),
            "available_usd": usd(NanoUsd(left)),
            "affordable_max_tokens": max(0, affordable or 0),
        },
    )


def _is_key(purse: Purse) -> bool:
    return purse.scope.startswith("key:")


def _is_member(purse: Purse) -> bool:
    return purse.scope.startswith("member:")


def _is_user(purse: Purse) -> bool:
    return purse.scope.startswith("user:")
