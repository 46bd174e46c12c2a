"""The same program with a loop that begins behind the epochs that are passed over, and before it what they do all the same."""

from __future__ import annotations

import ast

from ..files.lines import dominant_newline, newline_of, split_lines
from ..head_breaks.text import Turned
from ..recover.lines_in_strings import lines_in_strings
from ..recover.syntax import Source
from .found import SkippedEpochs


def begun_later(source: Source, found: list[SkippedEpochs]) -> Turned | None:
    """The program with all of them so; None where a loop has a layout of its own, or a name is taken."""
    lines = split_lines(source.text)
    new: list[tuple[str, int]] = []
    reached = 1
    for one in sorted(found, key=lambda skipped: skipped.loop.lineno):
        if one.loop.lineno < reached or not _is_plain(source, lines, one) or _name(one) in source.names:
            return None
        new += [(lines[n - 1], n) for n in range(reached, one.loop.lineno)]
        new += _loop(source, lines, one)
        reached = (one.loop.end_lineno or one.loop.lineno) + 1
    new += [(lines[n - 1], n) for n in range(reached, len(lines) + 1)]
    return Turned("".join(text for text, _ in new), {n: raw for n, (_, raw) in enumerate(new, start=1) if raw})


def _name(one: SkippedEpochs) -> str:
    assert isinstance(one.loop.target, ast.Name)
    return f"first_{one.loop.target.id}"


def _is_plain(source: Source, lines: list[str], one: SkippedEpochs) -> bool:
    """Whether the loop's header, its test and what stands before have lines of their own, of which none is part of a string."""
    index = one.loop.body.index(one.skip)
    if index + 1 == len(one.loop.body):
        return False
    starts = [one.loop, *one.loop.body[: index + 2]]
    if any(lines[s.lineno - 1].encode()[: s.col_offset].strip() for s in starts):
        return False
    if len({s.lineno for s in starts}) < len(starts) or one.loop.iter.end_lineno != one.loop.lineno:
        return False
    told = lines[(one.skip.end_lineno or 0) - 1].encode()[one.skip.end_col_offset or 0 :].strip()
    strings = lines_in_strings(source.text)
    return not told and not any(n in strings for n in range(one.loop.lineno, (one.skip.end_lineno or 0) + 1))


def _loop(source: Source, lines: list[str], one: SkippedEpochs) -> list[tuple[str, int]]:
    """The lines of both loops, each with the raw line that it is made of, 0 for none."""
    loop, newline = one.loop, dominant_newline(source.text)
    outer = lines[loop.lineno - 1][: loop.col_offset]
    step = lines[loop.body[0].lineno - 1][len(outer) : loop.body[0].col_offset]
    first, last = _ends(source, loop)
    begins = f"max({first}, {one.first})"
    begins = f"{begins} if {one.guard} else {first}" if one.guard else begins
    skip = range(one.skip.lineno, (one.skip.end_lineno or one.skip.lineno) + 1)
    after = skip.stop
    while not lines[after - 1].strip():
        after += 1
    body = [(lines[n - 1], n) for n in range(loop.lineno + 1, skip.start)]
    notes: list[tuple[str, int]] = []
    while body and _is_note(body[-1][0]):
        text, number = body.pop()
        notes = [(outer + text.lstrip(), number), *notes] if text.strip() else notes
    rest = [(lines[n - 1], n) for n in range(after, (loop.end_lineno or after) + 1)]
    if not newline_of(rest[-1][0]):
        rest[-1] = (rest[-1][0] + newline, rest[-1][1])
    counter = ast.unparse(loop.target)
    header = f"{outer}for {counter} in range({_name(one)}, {last}):{newline}"
    told = f"{outer}{_name(one)} = {begins}{newline}"
    return [
        *notes,
        *_before(lines, one, outer, step, (first, last), newline),
        (told, 0),
        (header, loop.lineno),
        *body,
        *rest,
    ]


def _is_note(line: str) -> bool:
    """Whether a line above the test is a comment, which belongs to it, or blank."""
    return not line.strip() or line.lstrip().startswith("#")


def _ends(source: Source, loop: ast.For) -> tuple[str, str]:
    assert isinstance(loop.iter, ast.Call)
    *start, last = [source.segment(a) for a in loop.iter.args]
    return start[0] if start else "0", last


def _before(
    lines: list[str], one: SkippedEpochs, outer: str, step: str, ends: tuple[str, str], newline: str
) -> list[tuple[str, int]]:
    """What the epochs that are passed over do, in a loop of their own."""
    if not one.head:
        return []
    first, last = ends
    deeper = step if one.guard else ""
    header = f"{outer}{deeper}for {ast.unparse(one.loop.target)} in range({first}, min({one.first}, {last})):{newline}"
    end = one.head[-1].end_lineno or 0
    body = [deeper + lines[n - 1] for n in range(one.head[0].lineno, end + 1)]
    guard = [f"{outer}if {one.guard}:{newline}"] if one.guard else []
    return [(text, 0) for text in (*guard, header, *body)]
