"""Statements of the user's that did not change keep their own layout: only what is new is black's to lay out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..comments import comments
from ..memory import tree_of
from ..recover.syntax import Source, walk

_SIMPLE = (
    ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Assert, ast.Delete, ast.Raise, ast.Global, ast.Import, ast.ImportFrom,
)  # fmt: skip
_LAYOUT = re.compile(r"\W|0")
"""What black may change: all but words and numbers, where 1. becomes 1.0."""
_TAB = 4


def in_own_layout(code: str, raw: Source) -> str:
    """New code at the left margin, with every statement that stands in the raw text, too, laid out as it is there."""
    known: dict[str, list[ast.stmt]] = {}
    for kind in _SIMPLE:
        for statement in raw.all(kind):
            known.setdefault(_plain(raw.segment(statement)), []).append(statement)
    lines = code.split("\n")
    found = [(s, text) for s in _statements(code) if (text := _own_text(s, _text(s, lines), known, raw)) is not None]
    for statement, text in sorted(found, key=lambda pair: pair[0].lineno, reverse=True):
        first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
        rest = lines[last].encode()[statement.end_col_offset :].decode()
        lines[first : last + 1] = (" " * statement.col_offset + text + rest).split("\n")
    return "\n".join(lines)


def _plain(text: str) -> str:
    return _LAYOUT.sub("", text).lower()


def _statements(code: str) -> Iterator[ast.stmt]:
    for node in walk(tree_of(code)):
        if isinstance(node, _SIMPLE):
            yield node


def _text(statement: ast.stmt, lines: list[str]) -> str:
    rows = [line.encode() for line in lines[statement.lineno - 1 : statement.end_lineno]]
    rows[-1] = rows[-1][: statement.end_col_offset]
    rows[0] = rows[0][statement.col_offset :]
    return b"\n".join(rows).decode()


def _own_text(statement: ast.stmt, text: str, known: dict[str, list[ast.stmt]], raw: Source) -> str | None:
    """The user's text of a statement as it reads at its new place; None when it is that already, or the statement is another one."""
    meaning = ""
    for twin in known.get(_plain(text), ()):
        own = _moved(raw, twin, statement.col_offset)
        if own == text:
            return None
        meaning = meaning or ast.dump(statement)
        if _comments(own) == _comments(text) and _meaning(own, statement.col_offset) == meaning:
            return own
    return None


def _moved(raw: Source, statement: ast.stmt, column: int) -> str:
    """The text of a raw statement whose first line starts in another column."""
    line = raw.lines[statement.lineno - 1]
    shift = column - len(line[: len(line) - len(line.lstrip())].expandtabs(_TAB))
    first, *rest = raw.segment(statement).split("\n")
    return "\n".join([first, *(_shifted(part.rstrip(), shift) for part in rest)])


def _shifted(line: str, shift: int) -> str:
    bare = line.lstrip()
    return " " * max(0, len(line[: len(line) - len(bare)].expandtabs(_TAB)) + shift) + bare if bare else ""


def _meaning(text: str, column: int) -> str:
    try:
        block = ast.parse(f"if True:\n{' ' * column}{text}").body[0]
    except SyntaxError:
        return ""
    return ast.dump(block.body[0]) if isinstance(block, ast.If) else ""


def _comments(text: str) -> list[str]:
    return [comment for _line, comment in comments(text)] if "#" in text else []
