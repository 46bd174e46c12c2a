"""The program that evaluates its model where it evaluated the average: the callback has the average in the model then."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..origin import Origin
from ..program import Edit
from ..recover.lines_in_strings import lines_in_strings
from ..recover.syntax import Source, walk
from .found import Average
from .uses import Stays


def without_average(source: Source, found: Average) -> tuple[str, Origin]:
    """The text and the way back from it. Raises Stays where lines are shared."""
    edits = sorted(_edits(source, found), key=lambda e: (e.start, e.end))
    if {e.start + 1 for e in edits} & lines_in_strings(source.text):
        raise Stays(found.made, "a string holds a line of it")
    gone = {line for e in edits if not e.text for line in range(e.start + 1, e.end + 1)}
    kept = [line for line in range(1, len(split_lines(source.text)) + 1) if line not in gone]
    return apply_edits(split_lines(source.text), edits), Origin(source.text, dict(enumerate(kept, start=1)))


def _edits(source: Source, found: Average) -> Iterator[Edit]:
    for statement in (found.made, found.update, *found.dropped):
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        block = source.block_of(statement)
        if any(s is not statement and s.lineno <= last and (s.end_lineno or s.lineno) >= first for s in block):
            raise Stays(statement, f"line {first} holds more than one statement")
        yield Edit(first - 1, last, "")
    yield from _imports(source, found)
    places: dict[int, list[tuple[int, int]]] = {}
    for use in found.uses:
        whole: ast.expr = use
        match source.parents[use]:
            case ast.Attribute(attr="module") as module:
                whole = module
        if whole.lineno != whole.end_lineno:
            raise Stays(use, "its name stands in several lines")
        places.setdefault(use.lineno, []).append((whole.col_offset, whole.end_col_offset or 0))
    for number, spans in places.items():
        line = source.lines[number - 1].encode()
        for start, end in sorted(spans, reverse=True):
            line = line[:start] + found.model.encode() + line[end:]
        yield Edit(number - 1, number, line.decode().rstrip("\r\n") + "\n")


def _imports(source: Source, found: Average) -> Iterator[Edit]:
    """The imports without what only the statements that go name."""
    gone = {id(n) for s in (found.made, found.update, *found.dropped) for n in walk(s)}
    kept = {n.id for n in walk(ast.parse(found.callback)) if isinstance(n, ast.Name)}
    named = [n for n in source.all(ast.Name) if id(n) in gone]
    left = {n.id for n in source.all(ast.Name) if id(n) not in gone} | kept
    lost = {n.id for n in named} - left
    imports: list[ast.ImportFrom | ast.Import] = [*source.all(ast.ImportFrom), *source.all(ast.Import)]
    for statement in imports:
        unused = [a for a in statement.names if (a.asname or a.name.partition(".")[0]) in lost]
        if not unused:
            continue
        line = source.lines[statement.lineno - 1]
        several = statement.lineno != statement.end_lineno or "#" in line or ";" in line
        alone = isinstance(statement, ast.Import) and len(statement.names) == 1
        if several or not (alone or isinstance(statement, ast.ImportFrom)) or len(source.block_of(statement)) == 1:
            raise Stays(statement, "its import cannot be taken away")
        rest = [a for a in statement.names if a not in unused]
        names = ", ".join(source.segment(a) for a in rest)
        indent = line[: len(line) - len(line.lstrip())]
        text = ""
        if rest and isinstance(statement, ast.ImportFrom):
            text = f"{indent}from {'.' * statement.level}{statement.module or ''} import {names}\n"
        yield Edit(statement.lineno - 1, statement.lineno, text)
