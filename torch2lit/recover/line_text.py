"""The lines of a text with other words in them, and with new lines above some."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence


def put(lines: list[str], node: ast.expr | ast.alias, new: str) -> None:
    """Let a line say something else in the place of a node that stands on it alone; what is before it stays where it is."""
    line = lines[node.lineno - 1].encode()
    lines[node.lineno - 1] = (line[: node.col_offset] + new.encode() + line[node.end_col_offset or 0 :]).decode()


def with_lines_above(lines: Sequence[str], above: Mapping[int, Sequence[str]]) -> tuple[str, dict[int, int]]:
    """The text with new lines above those of these numbers, and for each line that is not new the one it was, all counted from 1."""
    text: list[str] = []
    origins: dict[int, int] = {}
    for number, line in enumerate(lines, start=1):
        text += [*above.get(number, ()), line]
        origins[len(text)] = number
    return "".join(text), origins
