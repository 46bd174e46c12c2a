"""Where the values of a JSON text stand, so that a few can be replaced and all other bytes stay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]

_SPACE = re.compile(r"[ \t\n\r]*")
_MOST_DIGITS = 4000
"""Python refuses longer numbers, for they take quadratic time."""


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


_DECODER = json.JSONDecoder(parse_int=_whole)


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value and the half-open span of its text."""

    value: object
    start: int
    end: int


def root(text: str) -> Value:
    """The one value of a JSON text. Raises ValueError (json.JSONDecodeError) when it is no JSON."""
    start = _after_space(text, 0)
    value, end = _DECODER.raw_decode(text, start)
    if (rest := _after_space(text, end)) != len(text):
        raise json.JSONDecodeError("Extra data", text, rest)
    return Value(value, start, end)


def members(text: str, parent: Value) -> dict[str, Value]:
    """The members of an object, empty for any other value. Of a key that comes twice the last counts."""
    found: dict[str, Value] = {}
    if not isinstance(parent.value, dict) or not parent.value:
        return found
    position = parent.start
    while text[position] != "}":
        key, position = scanstring(text, _after_space(text, position + 1) + 1)
        position = _after_space(text, _after_space(text, position) + 1)
        value, end = _DECODER.raw_decode(text, position)
        found[key] = Value(value, position, end)
        position = _after_space(text, end)
    return found


def items(text: str, parent: Value) -> Iterator[Value]:
    """The items of an array in their order, none for any other value."""
    if not isinstance(parent.value, list) or not parent.value:
        return
    position = parent.start
    while text[position] != "]":
        start = _after_space(text, position + 1)
        value, end = _DECODER.raw_decode(text, start)
        yield Value(value, start, end)
        position = _after_space(text, end)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    assert found is not None
    return found.end()
