"""Money as integers: nano-dollars in balances, pico-dollars per unit in prices.

No float ever takes part in a sum. Prices arrive as decimal text or YAML numbers,
whose shortest representation is exact in decimal, and leave as decimal text.
A generation's cost is rounded once, upwards, to the nano-dollar.
"""

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NewType

NanoUsd = NewType("NanoUsd", int)
"""A sum of money: 10⁻⁹ USD."""

PicoUsd = NewType("PicoUsd", int)
"""The price of one unit (a token, an image, a request): 10⁻¹² USD."""

PICO = Decimal(10) ** 12
NANO = Decimal(10) ** 9
DOLLAR = 1_000_000_000
"""In nano-USD. A sum divided by it is the JSON number that OpenRouter's clients read."""
MOST_PER_UNIT = Decimal(1000)
MOST_AT_ONCE = Decimal(10_000_000)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
"""How a sum is written. Decimal would take `1_0` for ten, and the digits of any script."""


def price(value: float | str | Decimal) -> PicoUsd:
    """Read the price of one unit, given in USD, as pico-dollars.

    Raises ValueError for what is not a finite number from 0 to 1,000 USD, and
    for a price finer than a pico-dollar.
    """
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a price in USD") from None
    if not amount.is_finite() or not 0 <= amount <= MOST_PER_UNIT:
        raise ValueError(f"{value!r} is not a price between 0 and {MOST_PER_UNIT} USD per unit")
    pico = amount * PICO
    if pico != pico.to_integral_value():
        raise ValueError(f"{value!r} is finer than 0.000000000001 USD")
    return PicoUsd(int(pico))


def amount(value: float | str | Decimal) -> NanoUsd:
    """Read a sum of money, given in USD, as nano-dollars.

    Raises ValueError for what is not above 0 and at most 10,000,000 USD, or is finer
    than a nano-dollar.
    """
    said = str(value) if isinstance(value, Decimal) else repr(value)
    if not NUMBER.fullmatch(str(value)):
        raise ValueError(f"{said} is not an amount in USD")
    sum_ = Decimal(str(value))
    if not 0 < sum_ <= MOST_AT_ONCE:
        raise ValueError(f"{said} is not an amount above 0 and up to {MOST_AT_ONCE:,} USD")
    nanos = sum_ * NANO
    if nanos != nanos.to_integral_value():
        raise ValueError(f"{said} is finer than 0.000000001 USD")
    return NanoUsd(int(nanos))


def cost(items: Iterable[tuple[int, PicoUsd]]) -> NanoUsd:
    """Return what the (units, price) pairs cost together, rounded up once."""
    return round_up(sum(units * each for units, each in items))


def round_up(pico: int) -> NanoUsd:
    """Return `pico` pico-dollars as nano-dollars, rounded upwards."""
    # To call `NanoUsd` would cost more than the division, four times a request.
    return -(-pico // 1000)  # type: ignore[return-value]


def usd(amount: NanoUsd) -> float:
    """Return an amount as the JSON number of dollars that OpenRouter's clients read."""
    return amount / DOLLAR


def price_text(value: PicoUsd) -> str:
    """Return the price of one unit as decimal USD without an exponent: `0.0000025`."""
    text = format(Decimal(value) / PICO, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def per_million(value: PicoUsd) -> Decimal:
    """Return the price of a million units in USD."""
    return Decimal(value) * 1_000_000 / PICO
