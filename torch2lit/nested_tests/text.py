"""The same program with the blocks of such an evaluation one after the other, each under its whole condition."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..files.lines import dominant_newline, split_lines
from ..recover.lines_in_strings import lines_in_strings
from ..recover.opposites import opposite
from ..recover.syntax import Source
from .found import Nested


@dataclass(frozen=True, slots=True)
class Apart:
    """The new text, and the raw line of each of its lines that has one, both counted from 1."""

    text: str
    lines: dict[int, int]


def apart(source: Source, found: list[Nested]) -> Apart | None:
    """The program with the blocks of all of them one after the other; None where a block has a layout of its own."""
    lines = split_lines(source.text)
    strings = lines_in_strings(source.text)
    new: list[tuple[str, int]] = []
    reached = 1
    for one in sorted(found, key=lambda nested: nested.outer.lineno):
        if not _is_plain(source, one, strings):
            return None
        new += [(lines[n - 1], n) for n in range(reached, one.outer.lineno)]
        new += _parts(source, lines, one)
        reached = (one.outer.end_lineno or one.outer.lineno) + 1
    new += [(lines[n - 1], n) for n in range(reached, len(lines) + 1)]
    return Apart("".join(text for text, _ in new), {n: raw for n, (_, raw) in enumerate(new, start=1) if raw})


def _is_plain(source: Source, one: Nested, strings: set[int]) -> bool:
    """Whether every statement begins a line of its own, and no text stands over several lines of what moves."""
    outer, inner = one.outer, one.inner
    starts = [outer, *outer.body, *inner.body, *inner.orelse]
    lines = [source.lines[s.lineno - 1] for s in starts]
    if any(line[: s.col_offset].strip() for s, line in zip(starts, lines, strict=True)):
        return False
    if outer.body[0].lineno == outer.lineno or inner.body[0].lineno == inner.lineno:
        return False
    return not any(number in strings for number in range(inner.lineno, (inner.end_lineno or inner.lineno) + 1))


def _parts(source: Source, lines: list[str], one: Nested) -> list[tuple[str, int]]:
    """The lines of the blocks, each with the raw line that it is made of, 0 for none."""
    outer, inner = one.outer, one.inner
    newline = dominant_newline(source.text)
    place = outer.body.index(inner)
    indent = (
        " " * outer.col_offset
        if "\t" not in lines[outer.lineno - 1][: outer.col_offset]
        else lines[outer.lineno - 1][: outer.col_offset]
    )
    inside = lines[inner.lineno - 1][: inner.col_offset]
    head = [(lines[n - 1], n) for n in range(outer.lineno, outer.body[0].lineno)]
    head = _without_comments(head, outer)
    above = _comments_above(lines, inner, outer)
    first = [(lines[n - 1], n) for n in range(head[-1][1] + 1, above)] if place else []
    told = [(_moved(lines[n - 1], inside, indent), n) for n in range(above if place else head[-1][1] + 1, inner.lineno)]
    last = inner.end_lineno or inner.lineno
    rest = (
        [(lines[n - 1], n) for n in range(last + 1, (outer.end_lineno or last) + 1)] if outer.body[place + 1 :] else []
    )
    result: list[tuple[str, int]] = [*head, *first] if first else []
    arms = [(inner.test, inner.body)]
    if inner.orelse:
        arms.append((opposite(inner.test), inner.orelse))
    for number, (test, block) in enumerate(arms):
        condition = f"{_joined(source, outer.test)} and {_joined(source, test)}"
        result += told if not number else []
        result.append((f"{indent}if {condition}:{newline}", inner.lineno if not number else 0))
        start = (
            _comments_above(lines, block[0], inner) if not number or block[0].lineno > inner.lineno else block[0].lineno
        )
        end = block[-1].end_lineno or block[-1].lineno
        result += [(_moved(lines[n - 1], inside, indent), n) for n in range(start, end + 1)]
    while rest and first and not rest[0][0].strip():
        rest = rest[1:]
    if rest:
        again = [(text, 0) for text, _ in head] if first else head
        result += [*again, *rest]
    return result


def _without_comments(head: list[tuple[str, int]], outer: ast.If) -> list[tuple[str, int]]:
    """The lines of the condition itself: comments behind it belong to the block."""
    last = outer.test.end_lineno or outer.lineno
    end = next(
        (
            n
            for n, (text, raw) in enumerate(head)
            if (raw >= last and text.rstrip().endswith(":")) or ("#" in text and raw >= last)
        ),
        0,
    )
    return head[: end + 1]


def _comments_above(lines: list[str], statement: ast.stmt, above: ast.stmt) -> int:
    """The first line of the comments right above a statement, or of itself."""
    first = statement.lineno
    while first - 1 > above.lineno and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return first


def _moved(line: str, inside: str, indent: str) -> str:
    return indent + line[len(inside) :] if line.strip() and line.startswith(inside) else line


def _joined(source: Source, test: ast.expr) -> str:
    """A condition as a part of a longer one."""
    text = source.segment(test) if hasattr(test, "lineno") and test.lineno == test.end_lineno else ast.unparse(test)
    loose = isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or)
    return f"({text})" if loose or isinstance(test, ast.IfExp | ast.Lambda | ast.NamedExpr) else text
