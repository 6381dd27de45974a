"""The section `ledger:` of dragoman.yaml: what the books do where there is a choice."""

from msgspec import Struct


class LedgerOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who bears usage beyond what was set aside for it."""

    charge_overrun: bool = False
    """Whether the account does, and the limits with it, rather than the house. A limit may then be
    overspent by as much."""
