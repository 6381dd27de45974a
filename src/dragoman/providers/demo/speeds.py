"""The demo hosts and how fast they are. What they charge is the catalog's business."""

from msgspec import Struct


class Speed(Struct, frozen=True):
    """How long until the first token, in seconds, and how many follow in each second."""

    first_token_s: float
    tokens_per_s: float


SPEEDS = {
    "demo-swift": Speed(0.040, 150.0),
    "demo-steady": Speed(0.120, 80.0),
    "demo-thrifty": Speed(0.300, 40.0),
}
"""Provider slug -> its speed."""
