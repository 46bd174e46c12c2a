"""The text of a program whose mixed precision is switched by ``enabled`` and not by branches."""

from __future__ import annotations

import ast

from ..files.lines import dominant_newline, split_lines
from ..recover.line_text import put
from ..recover.lines_in_strings import lines_in_strings
from ..recover.syntax import Source
from .found import Arms, PrecisionArms


def with_switches(source: Source, found: PrecisionArms, arms: tuple[Arms, ...]) -> tuple[str, dict[int, int]] | None:
    """The text and the raw line of each of its lines; None when other code shares a line with what changes."""
    lines = split_lines(source.text)
    numbers = list(range(1, len(lines) + 1))
    scaler = found.scaler
    condition = source.segment(scaler.condition)
    pieces: list[tuple[int, int, list[tuple[str, int]]]] = []
    made = scaler.statement
    if (
        made.lineno != made.end_lineno and not isinstance(made, ast.If)
    ) or scaler.call.lineno != scaler.call.end_lineno:
        return None
    indent = _indent(lines[made.lineno - 1])
    line = f"{indent}{scaler.name} = {_enabled(source, scaler.call, condition)}{dominant_newline(source.text)}"
    pieces.append((made.lineno, made.end_lineno or 0, [(line, scaler.call.lineno)]))
    for one in arms:
        if (kept := _kept(source, lines, one)) is None:
            return None
        pieces.append((one.statement.lineno, one.statement.end_lineno or 0, kept))
    for switch, instead in found.switches:
        if switch.lineno != switch.end_lineno:
            return None
        put(lines, switch, instead)
    strings = lines_in_strings(source.text)
    for first, last, new in sorted(pieces, reverse=True, key=lambda piece: piece[0]):
        if any(number in strings for number in range(first, last + 1)):
            return None
        lines[first - 1 : last] = [text for text, _ in new]
        numbers[first - 1 : last] = [number for _, number in new]
    text = "".join(lines)
    return text, dict(enumerate(numbers, start=1))


def _enabled(source: Source, call: ast.Call, condition: str) -> str:
    given = [source.segment(a) for a in (*call.args, *call.keywords)]
    return f"{source.segment(call.func)}({', '.join([*given, f'enabled={condition}'])})"


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _kept(source: Source, lines: list[str], one: Arms) -> list[tuple[str, int]] | None:
    """The lines of the branch in mixed precision, as they stand without the ``if``."""
    head = lines[one.statement.lineno - 1]
    if not head.lstrip().startswith("if"):
        return None  # it is an `elif`
    if one.kept[0].lineno <= one.statement.lineno:
        return None
    outer = _indent(head)
    unit = _indent(lines[one.kept[0].lineno - 1]).removeprefix(outer)
    first = one.kept[0].lineno
    while first - 2 >= one.statement.lineno and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    found: list[tuple[str, int]] = []
    for call in one.casts:
        if call.lineno != call.end_lineno:
            return None
        put(lines, call, _enabled(source, call, one.condition))
    for number in range(first, (one.kept[-1].end_lineno or 0) + 1):
        line = lines[number - 1]
        found.append((outer + line.removeprefix(outer + unit) if line.startswith(outer + unit) else line, number))
    return found
