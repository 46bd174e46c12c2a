"""Pieces of new text for a raw one whose lines keep their numbers."""

from __future__ import annotations

import ast

from ..program import Modernisation, Piece, Place, at, end_of
from ..recover.syntax import Source
from .hindrances import unfoldable


def end_of_line(source: Source, line: int) -> Place:
    """Where a line ends."""
    return line, len(source.lines[line - 1].rstrip("\r\n").encode())


def blank(source: Source, start: Place, end: Place) -> list[Piece]:
    """Nothing from one place to another, one piece per line."""
    found = []
    for line in range(start[0], end[0] + 1):
        left = (line, start[1]) if line == start[0] else (line, 0)
        right = end if line == end[0] else end_of_line(source, line)
        if left < right or line == start[0]:
            found.append(Piece(left, right, ""))
    return found


def is_alone(source: Source, statement: ast.stmt) -> bool:
    """Whether a statement has its block for itself."""
    return len(source.block_of(statement)) < 2


def lines_of(source: Source, statement: ast.stmt) -> tuple[int, int]:
    """The first and the last line of a statement. Raises Unfoldable when it does not have them for itself."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    before = source.lines[first - 1].encode()[: statement.col_offset].strip()
    after = source.lines[last - 1].encode()[end_of(statement)[1] :].strip()
    if before or (after and not after.startswith(b"#")):
        raise unfoldable(first, "another statement shares the line", "give each statement a line")
    return first, last


def nothing(source: Source, statement: ast.stmt, meaning: str) -> Modernisation:
    """Nothing in place of a statement that has its lines, but not its block, for itself."""
    first, last = lines_of(source, statement)
    if is_alone(source, statement):
        raise unfoldable(first, "the statement stands alone in its block", "take it out of its block")
    return Modernisation(first, last, tuple(blank(source, at(statement), end_of_line(source, last))), meaning)
