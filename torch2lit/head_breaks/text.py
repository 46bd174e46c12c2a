"""The same program with the look at the end of each epoch, and the loop under its opposite where it may hold at once."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..files.lines import dominant_newline, newline_of, split_lines
from ..recover.lines_in_strings import lines_in_strings
from ..recover.opposites import opposite
from ..recover.syntax import Source
from .found import HeadBreak


@dataclass(frozen=True, slots=True)
class Turned:
    """The new text, and the raw line of each of its lines that has one, both counted from 1."""

    text: str
    lines: dict[int, int]


def turned(source: Source, found: list[HeadBreak]) -> Turned | None:
    """The program with all of them so; None where a loop has a layout of its own."""
    lines = split_lines(source.text)
    strings = lines_in_strings(source.text)
    new: list[tuple[str, int]] = []
    reached = 1
    for one in sorted(found, key=lambda head: head.loop.lineno):
        last = one.loop.end_lineno or one.loop.lineno
        if one.loop.lineno < reached or not _is_plain(lines, one):
            return None
        if one.guarded and any(number in strings for number in range(one.loop.lineno, last + 1)):
            return None
        new += [(lines[n - 1], n) for n in range(reached, one.loop.lineno)]
        new += _loop(lines, one, dominant_newline(source.text))
        reached = last + 1
    new += [(lines[n - 1], n) for n in range(reached, len(lines) + 1)]
    return Turned("".join(text for text, _ in new), {n: raw for n, (_, raw) in enumerate(new, start=1) if raw})


def _is_plain(lines: list[str], one: HeadBreak) -> bool:
    """Whether the loop, its test and what follows that begin lines of their own, and the loop ends its last one."""
    following = one.loop.body[1]
    starts = [one.loop, one.test, following]
    if any(lines[s.lineno - 1].encode()[: s.col_offset].strip() for s in starts) or one.loop.lineno == one.test.lineno:
        return False
    last = one.loop.body[-1]
    rest = lines[(last.end_lineno or 0) - 1].encode()[last.end_col_offset or 0 :].strip()
    told = lines[(one.test.end_lineno or 0) - 1].encode()[one.test.end_col_offset or 0 :].strip()
    return rest[:1] in (b"", b"#") and told[:1] in (b"", b"#")


def _loop(lines: list[str], one: HeadBreak, newline: str) -> list[tuple[str, int]]:
    """The lines of the loop, each with the raw line that it is made of, 0 for none."""
    loop, test = one.loop, one.test
    end = test.end_lineno or test.lineno
    header = next(n for n in range(test.lineno, loop.lineno, -1) if n == loop.lineno + 1 or not _is_told(lines[n - 2]))
    look = [(lines[n - 1], n) for n in range(header, end + 1)]
    after = end + 1
    while not lines[after - 1].strip():
        after += 1
    body = [(lines[n - 1], n) for n in range(after, (loop.end_lineno or after) + 1)]
    if not newline_of(body[-1][0]):
        body[-1] = (body[-1][0] + newline, body[-1][1])
    result = [*((lines[n - 1], n) for n in range(loop.lineno, header) if lines[n - 1].strip()), *body, *look]
    if not one.guarded:
        return result
    outer = lines[loop.lineno - 1][: loop.col_offset]
    step = lines[test.lineno - 1][len(outer) : test.col_offset]
    guard = f"{outer}if {ast.unparse(opposite(test.test))}:{newline}"
    return [(guard, 0), *((_deeper(text, outer, step), n) for text, n in result)]


def _is_told(line: str) -> bool:
    return line.lstrip().startswith("#")


def _deeper(line: str, outer: str, step: str) -> str:
    return outer + step + line[len(outer) :] if line.strip() and line.startswith(outer) else line
