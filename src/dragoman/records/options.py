"""The section `records:` of `dragoman.yaml`: for how long what happened is kept."""

from typing import Annotated

from msgspec import Meta, Struct

Days = Annotated[int, Meta(ge=1, le=36_500)]


class RecordsOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many days to keep what; null is for ever. What keys have spent is always kept."""

    keep_days: Days | None = None
    """Of generations, by the UTC day on which they began."""
    keep_content_days: Days | None = 30
    """Of what was said, where an account lets it be stored; never longer than its generation."""
    keep_sums_days: Days | None = None
    """Of the sums per hour and day that activity and analytics are made of."""
