"""Why a body does not have the shape it must have, as `<path>: <reason>`.

A shape is declared once, as types. This module words the refusals from the same
declaration, on the failure path only: `temperature: must be a number between 0 and 2`.
"""

import re
from collections.abc import Iterator
from typing import get_args

from msgspec import ValidationError, inspect

from dragoman.wire.shapes import Effort

_PLACE = re.compile(r" - at (`key` in )?`\$(.*)`$")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(\w+)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_VALUE = "..."
_KEY = "a key"
_WHICH = {_VALUE: "each value ", _KEY: "each key "}
_DEGREES = get_args(Effort)


def explain(error: ValidationError, shape: inspect.Type) -> tuple[str, str]:
    """Return the path (`messages.0.role`) and the reason of a failed decode of `shape`."""
    message = str(error)
    place = _PLACE.search(message)
    of_key, trail = place.groups() if place else (None, "")
    steps = [name or index for name, index in _STEP.findall(trail)]
    if missing := _MISSING.match(message):
        return ".".join([*steps, missing[1]]), "is required"
    if unknown := _UNKNOWN.match(message):
        return ".".join([*steps, unknown[1]]), "is not known"
    if of_key:
        steps.append(_KEY)
    path = ".".join(step for step in steps if step not in _WHICH)
    found = next(_follow(shape, steps), None)
    if found is None or isinstance(found, inspect.AnyType):
        return path, message.partition(" - at ")[0]
    return path, _WHICH.get("".join(steps[-1:]), "") + _sentence(found)


def _tags(union: inspect.UnionType, step: str) -> Iterator[inspect.Type]:
    """Yield the values that tell the objects of a union apart, if `step` is where they stand."""
    objects = [each for each in union.types if isinstance(each, inspect.StructType)]
    tags = [each.tag for each in objects if each.tag_field == step]
    if tags:
        yield inspect.LiteralType(tuple(tags))


def _follow(node: inspect.Type, steps: list[str]) -> Iterator[inspect.Type]:
    """Yield every type that `steps` can lead to, through all alternatives of a union."""
    if not steps:
        yield node
    elif isinstance(node, inspect.UnionType):
        yield from _tags(node, steps[0])
        for each in node.types:
            yield from _follow(each, steps)
    elif isinstance(node, inspect.StructType):
        for field in node.fields:
            if field.encode_name == steps[0]:
                yield from _follow(field.type, steps[1:])
    elif isinstance(node, inspect.ListType | inspect.VarTupleType) and steps[0].isdigit():
        yield from _follow(node.item_type, steps[1:])
    elif isinstance(node, inspect.DictType):
        inner = node.key_type if steps[0] == _KEY else node.value_type
        yield from _follow(inner, steps[1:])


def _sentence(node: inspect.Type) -> str:
    """Word what a value of type `node` must be. Enumerations in the words of OpenRouter."""
    types = node.types if isinstance(node, inspect.UnionType) else (node,)
    if all(isinstance(each, inspect.LiteralType | inspect.NoneType) for each in types):
        return f"Invalid option: expected {_phrase(node)}"
    return f"must be {_phrase(node)}"


def _phrase(node: inspect.Type) -> str:
    match node:
        case inspect.UnionType(types=types):
            each = (_phrase(one) for one in types if not isinstance(one, inspect.NoneType))
            phrase = " or ".join(dict.fromkeys(each))
        case inspect.LiteralType(values=values):
            phrase = "one of " + "|".join(f'"{value}"' for value in sorted(values, key=_degree))
        case inspect.IntType():
            phrase = f"an integer {_bounds(node)}"
        case inspect.FloatType():
            phrase = f"a number {_bounds(node)}"
        case inspect.StrType():
            phrase = f"a string {_length(node, 'character')} {_pattern(node)}"
        case inspect.ListType() | inspect.VarTupleType():
            phrase = f"an array {_length(node, 'item')}"
        case inspect.DictType():
            phrase = f"an object {_length(node, 'member')}"
        case inspect.BoolType():
            phrase = "a boolean"
        case inspect.DateTimeType():
            phrase = "a time such as 2027-12-31T23:59:59Z"
        case _:
            phrase = "an object"
    return phrase.rstrip()


def _degree(value: object) -> int:
    """Put degrees of effort in their order, the highest first, behind all other words."""
    return _DEGREES.index(value) if value in _DEGREES else -1


def _bounds(node: inspect.IntType | inspect.FloatType) -> str:
    if node.gt is not None:
        return f"above {node.gt} and at most {node.le}"
    if node.ge is None and node.le is None:
        return ""
    return f"of at least {node.ge}" if node.le is None else f"between {node.ge} and {node.le}"


def _length(
    node: inspect.StrType | inspect.ListType | inspect.VarTupleType | inspect.DictType, unit: str
) -> str:
    least, most = node.min_length, node.max_length
    if most is None:
        return f"of at least {least} {unit}" if least else ""
    return f"of {least} to {most} {unit}s" if least else f"of at most {most} {unit}s"


def _pattern(node: inspect.StrType) -> str:
    return "" if node.pattern is None else f"that matches {node.pattern}"
