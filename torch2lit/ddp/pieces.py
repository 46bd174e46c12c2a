"""Pieces of new text for a raw one whose lines keep their numbers."""

from __future__ import annotations

import ast

from ..program import Modernisation, Piece, Place, at, end_of
from ..recover.syntax import Source
from .group import Unfoldable


def block_of(source: Source, statement: ast.stmt) -> list[ast.stmt]:
    """The block in which a statement stands."""
    parent = source.parents[statement]
    for name in ("body", "orelse", "finalbody"):
        block = getattr(parent, name, None)
        if isinstance(block, list) and statement in block:
            return block
    return [statement]


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


def nothing(source: Source, statement: ast.stmt, meaning: str) -> Modernisation:
    """Nothing in place of a statement that has its lines, but not its block, for itself."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    before = source.lines[first - 1].encode()[: statement.col_offset].strip()
    after = source.lines[last - 1].encode()[end_of(statement)[1] :].strip()
    if before or (after and not after.startswith(b"#")):
        raise Unfoldable(first, "another statement shares the line")
    if len(block_of(source, statement)) == 1:
        raise Unfoldable(first, "the statement stands alone in its block")
    return Modernisation(first, last, tuple(blank(source, at(statement), end_of_line(source, last))), meaning)
