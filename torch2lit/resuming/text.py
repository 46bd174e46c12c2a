"""The program without its block: the first epoch is the first one again, and what only loads is gone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..origin import Origin, origin_of_edits
from ..program import Edit
from ..recover.syntax import Source, walk
from .block import Block, Stays


def without_block(source: Source, found: Block) -> tuple[str, Origin]:
    """The text without what the block loads, and the way back. Raises Stays where lines are shared."""
    edits = tuple(sorted(_edits(source, found), key=lambda e: (e.start, e.end)))
    lines = dict(origin_of_edits(source.text, edits).lines or {})
    moved = 0
    for edit in edits:  # a line that is written anew is still that line
        if edit.text:
            lines[edit.start + 1 + moved] = edit.start + 1
        moved += bool(edit.text) - (edit.end - edit.start)
    return apply_edits(split_lines(source.text), edits), Origin(source.text, lines)


def _edits(source: Source, found: Block) -> Iterator[Edit]:
    yield from _in_block(source, found, [found.statement])
    start = found.start
    if start.made is not None:
        yield _removed(source, start.made)
        first = source.segment(start.node)
        end = source.segment(found.numbers.args[1])
        numbers = f"{end}" if start.fresh == 0 else f"{start.fresh}, {end}"
        yield _within_line(source, start.node, found.numbers.args[1], numbers, first)


def _in_block(source: Source, found: Block, statements: Sequence[ast.stmt]) -> Iterator[Edit]:
    for statement in statements:
        if _goes(found, statement):
            yield _removed(source, statement)
        elif statement in found.set_back:
            indent = " " * statement.col_offset
            text = f"{indent}{source.segment(found.start.node)} = {found.start.fresh}\n"
            _removed(source, statement)
            yield Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, text)
        elif isinstance(statement, ast.If):
            yield from _in_if(source, found, statement)


def _in_if(source: Source, found: Block, statement: ast.If) -> Iterator[Edit]:
    yield from _in_block(source, found, statement.orelse)
    edits = list(_in_block(source, found, statement.body))
    if all(_goes(found, s) for s in statement.body):
        indent = " " * statement.body[0].col_offset
        edits[0] = Edit(edits[0].start, edits[0].end, f"{indent}pass\n")
    yield from edits


def _goes(found: Block, statement: ast.stmt) -> bool:
    """Whether nothing is left of a statement: of one with blocks when nothing is left in them."""
    if statement in found.gone:
        return True
    return isinstance(statement, ast.If) and all(_goes(found, s) for s in (*statement.body, *statement.orelse))


def gone_statements(found: Block) -> list[ast.stmt]:
    """What is not in the text any more, for the ledger."""
    inside = [n for n in walk(found.statement) if isinstance(n, ast.stmt)]
    made = [found.start.made] if found.start.made is not None else []
    return [*made, *(s for s in inside if _goes(found, s))]


def _removed(source: Source, statement: ast.stmt) -> Edit:
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    before = source.lines[first - 1][: statement.col_offset]
    block = source.block_of(statement)
    shared = [s for s in block if s is not statement and s.lineno <= last and (s.end_lineno or s.lineno) >= first]
    if before.strip() or shared:
        raise Stays(first, f"line {first} holds more than one statement")
    return Edit(first - 1, last, "")


def _within_line(source: Source, first: ast.expr, last: ast.expr, text: str, name: str) -> Edit:
    """The line with the numbers of the loop written anew."""
    if first.lineno != last.end_lineno or last.end_col_offset is None:
        raise Stays(first.lineno, f"the range that `{name}` begins stands in several lines")
    line = source.lines[first.lineno - 1].encode()
    new = line[: first.col_offset] + text.encode() + line[last.end_col_offset :]
    return Edit(first.lineno - 1, first.lineno, new.decode().rstrip("\r\n") + "\n")
