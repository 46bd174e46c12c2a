"""The same program with the arm that leaves under a test of its own, in front of the choice."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..files.lines import dominant_newline, newline_of, split_lines
from ..recover.lines_in_strings import lines_in_strings
from ..recover.opposites import opposite
from ..recover.syntax import Source
from .found import Choice


@dataclass(frozen=True, slots=True)
class Checked:
    """The new text, and the raw line of each of its lines that has one, both counted from 1."""

    text: str
    lines: dict[int, int]


def checked_first(source: Source, found: list[Choice]) -> Checked | None:
    """The program with all of them so; None where a choice has a layout of its own."""
    lines = split_lines(source.text)
    strings = lines_in_strings(source.text)
    new: list[tuple[str, int]] = []
    reached = 1
    for one in sorted(found, key=lambda choice: choice.statement.lineno):
        start, head = _first_line(lines, one.statement), _else_line(lines, one)
        if start < reached or not head or not _is_plain(lines, one):
            return None
        end = one.leaving[-1].end_lineno or one.leaving[-1].lineno
        body = one.last.body[-1].end_lineno or one.last.body[-1].lineno
        indent = lines[one.statement.lineno - 1][: one.statement.col_offset]
        newline = dominant_newline(source.text)
        new += [(lines[n - 1], n) for n in range(reached, start)]
        new += [(lines[n - 1], n) for n in range(body + 1, head) if lines[n - 1].strip()]
        alone = len(one.tests) == 1 and not strings & {*range(start, body + 1)}
        new.append((f"{indent}if {_none_holds(source, one)}:{newline}", one.statement.lineno if alone else head))
        new += [(lines[n - 1], n) for n in range(head + 1, end + 1)]
        if not newline_of(new[-1][0]):
            new[-1] = (new[-1][0] + newline, new[-1][1])
        new += (
            _without_test(lines, one, start, body)
            if alone
            else _choice(lines, one, start, body, f"{indent}else:{newline}")
        )
        reached = end + 1
    new += [(lines[n - 1], n) for n in range(reached, len(lines) + 1)]
    return Checked("".join(text for text, _ in new), dict(enumerate((raw for _, raw in new), start=1)))


def _choice(lines: list[str], one: Choice, start: int, end: int, otherwise: str) -> list[tuple[str, int]]:
    """The lines of the choice, whose last test need not be asked any more."""
    first, last = one.last.lineno, one.last.test.end_lineno or one.last.lineno
    head = lines[last - 1].encode()[one.last.test.end_col_offset or 0 :].decode().replace(")", "").strip()
    if one.last is one.statement or head != ":":
        return [(lines[n - 1], n) for n in range(start, end + 1)]
    above = [(lines[n - 1], n) for n in range(start, first)]
    return [*above, (otherwise, first), *((lines[n - 1], n) for n in range(last + 1, end + 1))]


def _without_test(lines: list[str], one: Choice, start: int, end: int) -> list[tuple[str, int]]:
    """The lines of the one arm that is left, with the comments above the choice."""
    choice, first = one.statement, one.statement.body[0]
    outer, inner = lines[choice.lineno - 1][: choice.col_offset], lines[first.lineno - 1][: first.col_offset]
    told = [(lines[n - 1], n) for n in range(start, choice.lineno)]
    behind = (choice.test.end_lineno or choice.lineno) + 1
    return told + [(_shallower(lines[n - 1], inner, outer), n) for n in range(behind, end + 1)]


def _shallower(line: str, inner: str, outer: str) -> str:
    return outer + line[len(inner) :] if line.strip() and line.startswith(inner) else line


def _first_line(lines: list[str], statement: ast.If) -> int:
    """The first line of the choice with the comments right above it."""
    first = statement.lineno
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def _else_line(lines: list[str], one: Choice) -> int:
    """The line of the word `else`, 0 when more stands on it than a remark."""
    end = one.last.body[-1].end_lineno or one.last.body[-1].lineno
    heads = [
        n
        for n in range(end + 1, one.leaving[0].lineno)
        if lines[n - 1].split("#")[0].replace(" ", "").strip() == "else:"
    ]
    return heads[0] if len(heads) == 1 and "#" not in lines[heads[0] - 1] else 0


def _is_plain(lines: list[str], one: Choice) -> bool:
    """Whether the choice and its last arm begin and end lines of their own."""
    ends = (one.last.body[-1], one.leaving[-1])
    rest = [lines[(s.end_lineno or 0) - 1].encode()[s.end_col_offset or 0 :].strip()[:1] for s in ends]
    firsts = (one.statement, one.statement.body[0], one.leaving[0])
    starts = [lines[s.lineno - 1].encode()[: s.col_offset].strip() for s in firsts]
    return not any(starts) and all(part in (b"", b"#") for part in rest)


def _none_holds(source: Source, one: Choice) -> str:
    """The condition under which no test of the choice holds."""
    if (asked := _one_text(one)) is not None:
        values = [source.segment(t.comparators[0]) for t in one.tests if isinstance(t, ast.Compare)]
        text = source.segment(asked)
        return f"{text} not in ({', '.join(values)})" if len(values) > 1 else f"{text} != {values[0]}"
    if len(one.tests) == 1:
        return ast.unparse(opposite(one.tests[0]))
    return ast.unparse(ast.UnaryOp(ast.Not(), ast.BoolOp(ast.Or(), [*one.tests])))


def _one_text(one: Choice) -> ast.expr | None:
    """What all tests compare with a text each."""
    asked: list[ast.expr] = []
    for test in one.tests:
        match test:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=str())]):
                asked.append(left)
            case _:
                return None
    return asked[0] if len({ast.dump(one) for one in asked}) == 1 else None
