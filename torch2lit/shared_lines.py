"""Lines with several statements: a program is understood, and converted, with each of them on a line of its own.

model = Net(); optimizer = SGD(model.parameters(), lr=0.1)    →    model = Net()
                                                                   optimizer = SGD(model.parameters(), lr=0.1)

So its line says which of two statements runs first, wherever that is asked. What the conversion leaves of such a line stands on one line again, as the user wrote it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .files.edits import apply_edits, edits_between
from .files.lines import newline_of, split_lines
from .memory import tree_of
from .origin import Origin
from .program import Conversion, Edit, Outcome
from .recover.syntax import blocks
from .views.way import Blocked, Program, Way

_PARTS = ast.ExceptHandler, ast.match_case
"""What `blocks` has looked into when it looked at the whole statement."""
_SEPARATOR, _BETWEEN = re.compile(r"^\s*;"), re.compile(r"[ \t\f]*;[ \t\f]*(\\\s*)?")


@dataclass(frozen=True, slots=True)
class _Part:
    """A statement of such a line: its first derived line and the one behind it, counted from 0, and its text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Shared:
    """The raw lines from ``start`` up to ``end``, counted from 0, and the statements that stand there."""

    start: int
    end: int
    indent: str
    parts: tuple[_Part, ...]


def statements_apart(program: Program) -> Way | None:
    """The program with each statement on a line of its own; None when it is so already."""
    if ";" not in program.text:
        return None
    raw = split_lines(program.text)
    found: list[_Shared] = []
    derived: list[str] = []
    lines: dict[int, int] = {}
    columns: dict[int, int] = {}
    reached = 0
    for together in _together(tree_of(program.text), raw):
        start, end = together[0].lineno - 1, together[-1].end_lineno or 0
        for number in range(reached, start):
            derived.append(raw[number])
            lines[len(derived)] = number + 1
        indent = _slice(raw, (start, 0), (start, together[0].col_offset))
        parts: list[_Part] = []
        for statement in together:
            text = _text(raw, statement, last=statement is together[-1])
            columns[len(derived) + 1] = statement.col_offset - len(indent)
            first = len(derived)
            for number, line in enumerate(split_lines(indent + text)):
                derived.append(line)
                lines[len(derived)] = statement.lineno + number
            parts.append(_Part(first, len(derived), text))
        found.append(_Shared(start, end, indent, tuple(parts)))
        reached = end
    if not found:
        return None
    for number in range(reached, len(raw)):
        derived.append(raw[number])
        lines[len(derived)] = number + 1
    origin = Origin(program.text, lines, columns=lambda line, column: column + columns.get(line, 0))
    return Way(replace(program, text="".join(derived)), origin, partial(_finished, raw, derived, found))


def _together(tree: ast.Module, raw: Sequence[str]) -> list[list[ast.stmt]]:
    """The statements of each such line, by their lines. Those that stand behind the head of a block stay there."""
    found: list[list[ast.stmt]] = []
    for block in (b for node in ast.walk(tree) if not isinstance(node, _PARTS) for b in blocks(node)):
        groups: list[list[ast.stmt]] = []
        for statement in block:
            if groups and _follows(raw, groups[-1][-1], statement):
                groups[-1].append(statement)
            else:
                groups.append([statement])
        found += [g for g in groups if len(g) > 1 and not _before(raw, g[0]).strip()]
    return sorted(found, key=lambda group: group[0].lineno)


def _follows(raw: Sequence[str], one: ast.stmt, other: ast.stmt) -> bool:
    """Whether a semicolon alone stands between two statements, and perhaps a backslash behind it."""
    row, column = (one.end_lineno or 0) - 1, one.end_col_offset or 0
    if other.lineno - 1 - row > 1:
        return False
    return bool(_BETWEEN.fullmatch(_slice(raw, (row, column), (other.lineno - 1, other.col_offset))))


def _before(raw: Sequence[str], statement: ast.stmt) -> str:
    return _slice(raw, (statement.lineno - 1, 0), (statement.lineno - 1, statement.col_offset))


def _text(raw: Sequence[str], statement: ast.stmt, *, last: bool) -> str:
    """A statement's text with its end of line; the last one has what stands behind it, but for a semicolon."""
    row, column = (statement.end_lineno or 0) - 1, statement.end_col_offset or 0
    text = _slice(raw, (statement.lineno - 1, statement.col_offset), (row, column))
    if not last:
        return text + (newline_of(raw[row]) or "\n")
    return text + _SEPARATOR.sub("", raw[row].encode()[column:].decode(), count=1)


def _slice(raw: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text between two places, whose columns count bytes."""
    if start[0] == end[0]:
        return raw[start[0]].encode()[start[1] : end[1]].decode()
    first, last = raw[start[0]].encode()[start[1] :].decode(), raw[end[0]].encode()[: end[1]].decode()
    return "".join([first, *raw[start[0] + 1 : end[0]], last])


def _finished(
    raw: list[str], derived: list[str], shared: list[_Shared], told: Conversion, result: Conversion
) -> Conversion | Blocked:
    """The conversion of the raw text: what it leaves of a line with several statements stands on one line."""
    if result.outcome is not Outcome.CONVERTED:
        return told
    edits = tuple(_edits(derived, shared, sorted(result.edits, key=lambda e: (e.start, e.end))))
    after = apply_edits(raw, edits)
    if ast.dump(tree_of(after)) != ast.dump(tree_of(result.after)):
        return replace(told, edits=edits_between(told.before, result.after))
    return replace(told, after=after, edits=edits)


def _edits(derived: list[str], shared: list[_Shared], edits: list[Edit]) -> Iterator[Edit]:
    """The edits as edits of the raw lines."""
    for run in _runs(shared, edits):
        text = "".join(_text_of(derived, shared, run))
        yield Edit(_raw_line(shared, run.start), _raw_line(shared, run.end), text)


@dataclass(slots=True)
class _Run:
    """Derived lines from ``start`` up to ``end`` that edits change, with the whole of each shared line that they reach into."""

    start: int
    end: int
    edits: list[Edit]


def _runs(shared: list[_Shared], edits: list[Edit]) -> list[_Run]:
    found = [_Run(e.start, e.end, [e]) for e in edits]
    for line in shared:
        start, end = line.parts[0].start, line.parts[-1].end
        if any(e.start < end and e.end > start for e in edits):
            found.append(_Run(start, end, []))
    runs: list[_Run] = []
    for run in sorted(found, key=lambda r: (r.start, r.end)):
        if runs and run.start < runs[-1].end:
            runs[-1].end = max(runs[-1].end, run.end)
            runs[-1].edits += run.edits
        else:
            runs.append(run)
    return runs


def _text_of(derived: list[str], shared: list[_Shared], run: _Run) -> Iterator[str]:
    """The new text of a run: the lines that stay, those of a shared line together, and the edits' own."""
    parts = {p.start: (p, line) for line in shared for p in line.parts}
    left, number = list(run.edits), run.start
    kept: list[tuple[_Part, _Shared]] = []
    while number < run.end or left:
        if left and left[0].start == number:
            edit = left.pop(0)
            if edit.text:
                yield from _joined(kept)
                kept = []
                yield edit.text
            number = edit.end
            continue
        part, line = parts.get(number, (None, None))
        if part is None or line is None or any(e.start < part.end and e.end > part.start for e in left):
            yield from _joined(kept)
            kept = []
            yield _ended(derived[number])
            number += 1
            continue
        if kept and kept[-1][1] is not line:
            yield from _joined(kept)
            kept = []
        kept.append((part, line))
        number = part.end
    yield from _joined(kept)


def _joined(kept: list[tuple[_Part, _Shared]]) -> Iterator[str]:
    if kept:
        *first, last = [part.text for part, _line in kept]
        yield kept[0][1].indent + "; ".join([*(text.rstrip("\r\n") for text in first), _ended(last)])


def _ended(line: str) -> str:
    return line if newline_of(line) else line + "\n"


def _raw_line(shared: list[_Shared], derived: int) -> int:
    """The raw line of a derived one that is no other part of a shared line than its first."""
    more = 0
    for line in shared:
        if line.parts[-1].end <= derived:
            more += (line.parts[-1].end - line.parts[0].start) - (line.end - line.start)
    return derived - more
