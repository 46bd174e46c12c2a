"""An expression as it stands, with other names."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..recover.syntax import Source


def reworded(source: Source, node: ast.AST, words: Mapping[ast.expr, str]) -> str:
    """The text of a node in which some parts of it are called otherwise."""
    text = source.segment(node).encode()
    first: int = node.lineno  # type: ignore[attr-defined]
    column: int = node.col_offset  # type: ignore[attr-defined]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(line: int, offset: int) -> int:
        return starts[line - first] + (offset - column if line == first else offset)

    for part in sorted(words, key=lambda n: (n.lineno, n.col_offset), reverse=True):
        start = place(part.lineno, part.col_offset)
        end = place(part.end_lineno or part.lineno, part.end_col_offset or 0)
        text = text[:start] + words[part].encode() + text[end:]
    return text.decode()
