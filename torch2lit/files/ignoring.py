"""The rules of a .gitignore, matched in linear time: a repository that is looked at can be hostile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from re import Pattern

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_ANY_DEPTH = "**"
_SPECIAL = set("*?[\\")


@dataclass(frozen=True, slots=True)
class _Segment:
    """One name of a pattern: pieces of fixed length with anything between them."""

    pieces: tuple[Pattern[str], ...] = ()
    length_of_last: int = 0
    literal: str | None = None
    """The one name that it means, for most of them."""

    def matches(self, name: str) -> bool:
        if self.literal is not None:
            return name == self.literal
        first, *others = self.pieces
        found = first.match(name)
        if found is None:
            return False
        if not others:
            return found.end() == len(name)
        for piece in others[:-1]:
            # The leftmost place is always as good as any other.
            found = piece.search(name, found.end())
            if found is None:
                return False
        start = len(name) - self.length_of_last
        return start >= found.end() and others[-1].match(name, start) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a .gitignore. ``segments`` holds None for any number of folders."""

    segments: tuple[_Segment | None, ...]
    takes_back: bool
    folders_only: bool

    def matches(self, parts: Sequence[str], is_folder: bool) -> bool:
        """Whether the rule is about the file or folder with these parts, relative to the rule's folder."""
        if self.folders_only and not is_folder:
            return False
        # The places in the pattern that the parts so far can have led to: at most one for each segment.
        states = self._closed({0})
        for part in parts:
            states = self._closed({after for state in states for after in self._after(state, part)})
        return len(self.segments) in states

    def _after(self, state: int, part: str) -> tuple[int, ...]:
        if state == len(self.segments):
            return ()
        segment = self.segments[state]
        if segment is None:
            return (state, state + 1) if state == len(self.segments) - 1 else (state,)
        return (state + 1,) if segment.matches(part) else ()

    def _closed(self, states: set[int]) -> set[int]:
        """With the places after a ``**`` that stands for no folder; at the end of a pattern it stands for at least one name."""
        result = set()
        for state in states:
            result.add(state)
            while state < len(self.segments) - 1 and self.segments[state] is None:
                state += 1
                result.add(state)
        return result


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rules of a .gitignore in their order; lines that are none are left out."""
    return tuple(rule for line in text.split("\n") if (rule := _rule(line.removesuffix("\r"))) is not None)


def verdict(rules: Sequence[Rule], parts: Sequence[str], is_folder: bool) -> bool | None:
    """Whether the rules ignore a file or folder; None when they do not speak of it. The last one that does decides."""
    for rule in reversed(rules):
        if rule.matches(parts, is_folder):
            return not rule.takes_back
    return None


def _rule(line: str) -> Rule | None:
    if line.startswith("#"):
        return None
    line = _without_trailing_space(line)
    takes_back = line.startswith("!")
    line = line.removeprefix("!")
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    if not line or line == "/":
        return None
    try:
        parts = _parts(line.removeprefix("/"))
        if "/" not in line:
            parts.insert(0, _ANY_DEPTH)
        segments = [None if part == _ANY_DEPTH else _segment(part) for part in parts]
    except (ValueError, re.error):
        return None
    return Rule(tuple(_without_repeats(segments)), takes_back, folders_only)


def _parts(pattern: str) -> list[str]:
    """The names of a pattern; a slash in a bracket parts nothing."""
    parts = [""]
    position = 0
    while position < len(pattern):
        after = position + 1
        if pattern[position] == "[":
            _, after = _bracket(pattern, position)
        elif pattern[position] == "\\":
            after += 1
        if pattern[position] == "/":
            parts.append("")
        else:
            parts[-1] += pattern[position:after]
        position = after
    return parts


def _without_repeats(segments: Iterable[_Segment | None]) -> list[_Segment | None]:
    result: list[_Segment | None] = []
    for segment in segments:
        if segment is not None or not result or result[-1] is not None:
            result.append(segment)
    return result


def _without_trailing_space(line: str) -> str:
    bare = line.rstrip(" ")
    slashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if slashes % 2 and bare != line else bare


def _segment(part: str) -> _Segment:
    if not _SPECIAL & set(part):
        return _Segment(literal=part)
    pieces: list[str] = [""]
    lengths = [0]
    position = 0
    while position < len(part):
        character = part[position]
        if character == "*":
            pieces.append("")
            lengths.append(0)
            position += 1
            continue
        if character == "?":
            expression, position = ".", position + 1
        elif character == "[":
            expression, position = _bracket(part, position)
        else:
            if character == "\\":
                position += 1
                if position == len(part):
                    raise ValueError("a pattern ends in a backslash")
            expression, position = re.escape(part[position]), position + 1
        pieces[-1] += expression
        lengths[-1] += 1
    return _Segment(tuple(re.compile(piece, re.DOTALL) for piece in pieces), lengths[-1])


def _bracket(part: str, start: int) -> tuple[str, int]:
    """The regular expression of a bracket of characters, and where it ends. Raises ValueError when it does not end."""
    position = start + 1
    negated = part[position : position + 1] in ("!", "^")
    position += negated
    first = position
    members = ""
    while True:
        if position >= len(part):
            raise ValueError("a bracket does not end")
        character = part[position]
        if character == "]" and position > first:
            break
        if part.startswith("[:", position) and (end := part.find(":]", position)) > 0:
            members += _CLASSES[part[position + 2 : end]] if part[position + 2 : end] in _CLASSES else _unknown()
            position = end + 2
            continue
        low, position = _member(part, position)
        if part[position : position + 1] == "-" and part[position + 1 : position + 2] not in ("", "]"):
            high, position = _member(part, position + 1)
            if low <= high:
                members += f"{_escaped(low)}-{_escaped(high)}"
            continue
        members += _escaped(low)
    if not members:
        return (".", position + 1) if negated else ("(?!)", position + 1)
    return f"[{'^' if negated else ''}{members}]", position + 1


def _unknown() -> str:
    raise ValueError("no such class of characters")


def _member(part: str, position: int) -> tuple[str, int]:
    if part[position] == "\\":
        position += 1
        if position >= len(part):
            raise ValueError("a bracket does not end")
    return part[position], position + 1


def _escaped(character: str) -> str:
    return "\\" + character if character in "\\]^[-&~|" else character
