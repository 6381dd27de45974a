r"""Writing a text that a regular expression matches, without ever running one.

A caller's pattern is never given to `re`: a hostile one would hold the process. It
is read here instead, as far as ECMA 262's everyday part goes: literals, escapes,
`.`, classes, groups, alternatives, quantifiers, and anchors at the ends. What goes
beyond that (lookarounds, back references, `\b`) is refused.
"""

import string
from collections.abc import Callable
from random import Random

from dragoman.providers.demo.keywords import Unsatisfiable

_LETTERS = string.ascii_letters + string.digits
_POOL = _LETTERS + "_-+.,:;!?/@#$%&*=()[]{} "
_SETS = {"d": string.digits, "w": _LETTERS + "_", "s": " "}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_LONGEST = 1000
_HEX_DIGITS = {"x": 2, "u": 4}


Text = Callable[[int], str]
"""Writes a part of the pattern, each quantifier so much above its least where it may."""


def writer(pattern: str, rng: Random, spend: Callable[[], None]) -> Text:
    """Return what writes texts that match `pattern`; it calls `spend` for every repetition.

    Raises Unsatisfiable for a pattern that is malformed or goes beyond what is read here.
    """
    if len(pattern) > _LONGEST:
        raise Unsatisfiable("the pattern is too long")
    return _Reader(pattern, rng, spend).whole()


class _Reader:
    """A recursive descent over the pattern, one method per rule of the grammar."""

    def __init__(self, pattern: str, rng: Random, spend: Callable[[], None]) -> None:
        self._left = pattern
        self._rng = rng
        self._spend = spend
        self._depth = 0

    def whole(self) -> Text:
        text = self._choice()
        if self._left:
            raise Unsatisfiable(f"unexpected {self._left[0]!r} in a pattern")
        return text

    def _choice(self) -> Text:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())

        def chosen(stretch: int) -> str:
            return self._rng.choice(options)(stretch)

        return chosen

    def _sequence(self) -> Text:
        if not self._depth:
            self._take("^")
        parts: list[Text] = []
        while self._left and self._left[0] not in "|)" and not self._ends():
            parts.append(self._quantified(self._atom()))
        return lambda stretch: "".join(part(stretch) for part in parts)

    def _ends(self) -> bool:
        """Skip a `$` that stands at the end of an alternative of the whole pattern."""
        return not self._depth and self._left[1:2] in {"", "|"} and self._take("$")

    def _quantified(self, part: Text) -> Text:
        bounds = self._bounds()
        if bounds is None:
            return part
        self._take("?")  # a lazy quantifier matches the same texts
        least, most = bounds
        if most is not None and most < least:
            raise Unsatisfiable("a quantifier of the pattern makes no sense")

        def repeated(stretch: int) -> str:
            times = least + stretch if most is None else min(least + stretch, most)
            return "".join(self._once(part, stretch) for _ in range(times))

        return repeated

    def _once(self, part: Text, stretch: int) -> str:
        self._spend()
        return part(stretch)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        if not self._left.startswith("{"):
            return None
        inner, closing, rest = self._left[1:].partition("}")
        least, comma, most = inner.partition(",")
        if not closing or not all(
            part.isdecimal() and len(part) < 6 for part in (least, most or "0")
        ):
            return None
        self._left = rest
        if not comma:
            return int(least), int(least)
        return int(least), int(most) if most else None

    def _atom(self) -> Text:
        sign = self._next()
        if sign == "(":
            return self._group()
        if sign in "*+?^$":
            raise Unsatisfiable(f"{sign!r} stands in a strange place of the pattern")
        choices = sign
        if sign == ".":
            choices = _LETTERS
        elif sign == "[":
            choices = self._class()
        elif sign == "\\":
            choices = self._escape()

        def character(_: int) -> str:
            return self._rng.choice(choices)

        return character

    def _group(self) -> Text:
        if self._take("?") and not self._take(":"):
            self._take("P")
            name, closing, rest = self._left[1:].partition(">")
            if self._left[:1] != "<" or not closing or not name.isidentifier():
                raise Unsatisfiable("lookarounds and flags of patterns are not read")
            self._left = rest
        self._depth += 1
        text = self._choice()
        self._depth -= 1
        if not self._take(")"):
            raise Unsatisfiable("a group of the pattern is not closed")
        return text

    def _escape(self) -> str:
        sign = self._next()
        if sign in _SETS:
            return _SETS[sign]
        if sign.lower() in _SETS:
            return _others(_SETS[sign.lower()])
        if sign in _CONTROLS:
            return _CONTROLS[sign]
        if sign in _HEX_DIGITS:
            return self._code(_HEX_DIGITS[sign])
        if sign.isalnum():
            raise Unsatisfiable(f"the escape \\{sign} is not read")
        return sign

    def _code(self, digits: int) -> str:
        text, self._left = self._left[:digits], self._left[digits:]
        if len(text) < digits or not all(each in string.hexdigits for each in text):
            raise Unsatisfiable("an escape lacks its digits")
        return chr(int(text, 16))

    def _class(self) -> str:
        negated = self._take("^")
        found = ""
        while not self._take("]"):
            low = self._member()
            if len(low) == 1 and self._left[:1] == "-" and self._left[1:2] != "]":
                self._take("-")
                found += _between(low, self._member())
            else:
                found += low
        choices = _others(found) if negated else found
        if not choices:
            raise Unsatisfiable("a class is empty")
        return choices

    def _member(self) -> str:
        sign = self._next()
        return self._escape() if sign == "\\" else sign

    def _next(self) -> str:
        if not self._left:
            raise Unsatisfiable("the pattern ends too early")
        sign, self._left = self._left[0], self._left[1:]
        return sign

    def _take(self, sign: str) -> bool:
        if not self._left.startswith(sign):
            return False
        self._left = self._left[1:]
        return True


def _between(low: str, high: str) -> str:
    if len(high) != 1 or ord(high) < ord(low):
        raise Unsatisfiable("a range in a class makes no sense")
    return "".join(map(chr, range(ord(low), min(ord(high), ord(low) + 127) + 1)))


def _others(characters: str) -> str:
    return "".join(each for each in _POOL if each not in characters)
