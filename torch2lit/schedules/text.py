"""The program whose schedule gives the rates: each edit is of whole lines."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..origin import Origin
from ..program import Edit
from ..recover.lines_in_strings import lines_in_strings
from ..recover.roles import Roles
from ..recover.syntax import Source
from .found import Schedule
from .written import given

_ITSELF = "# the schedule gives the rate itself, as a factor of 1"


def scheduled_text(roles: Roles, found: Schedule) -> tuple[str, Origin] | None:
    """The text and the way back from it; None where the lines do not allow it."""
    source = roles.source
    if not (torch := _prefix(roles, found)):
        return None
    edits = sorted(_edits(source, found, torch), key=lambda e: (e.start, e.end))
    touched = {line for e in edits for line in range(e.start + 1, e.end + 1)}
    if touched & lines_in_strings(source.text) or any(a.end > b.start for a, b in itertools.pairwise(edits)):
        return None
    lines: dict[int, int] = {}
    raw, new = 0, 0
    count = len(split_lines(source.text))
    for edit in [*edits, Edit(count, count, "")]:
        while raw < edit.start:
            raw, new = raw + 1, new + 1
            lines[new] = raw
        own = split_lines(edit.text)
        for place in range(len(own)):
            new += 1
            if place < edit.end - edit.start:
                lines[new] = edit.start + 1 + place
        raw = edit.end
    return apply_edits(split_lines(source.text), edits), Origin(source.text, lines)


def _prefix(roles: Roles, found: Schedule) -> str:
    """How the text names ``torch.optim``."""
    assert isinstance(found.made.value, ast.Call)
    match found.made.value.func:
        case ast.Attribute(value=value) if roles.full_name(value) == "torch.optim":
            return roles.source.segment(value)
    return "torch.optim" if roles.origins.get("torch") == "torch" else ""


def _edits(source: Source, found: Schedule, torch: str) -> Iterator[Edit]:
    made, behind = found.made, found.behind
    indent = _indent(source, made)
    said = f"{found.name} = {torch}.lr_scheduler.LambdaLR({found.optimizer}, {_function(found)})\n"
    note = f"{indent}{_ITSELF}\n" if found.itself else ""
    end = made.end_lineno or made.lineno
    if found.itself:
        rate = found.rate
        line = source.lines[rate.lineno - 1].encode()
        text = (line[: rate.col_offset] + b"1.0" + line[rate.end_col_offset or 0 :]).decode().rstrip("\r\n")
        yield Edit(rate.lineno - 1, rate.lineno, f"{text}\n")
    yield Edit(end, end, f"{note}{indent}{said}")
    for statement in found.gone:
        yield Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, "")
    written = found.written
    statement = written.statement
    if found.result:
        target = source.segment(statement.targets[0])  # type: ignore[attr-defined]
        yield Edit(
            statement.lineno - 1,
            statement.end_lineno or statement.lineno,
            f"{_indent(source, statement)}{target} = {found.result}\n",
        )
    else:
        yield Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, "")
    last = behind.end_lineno or behind.lineno
    yield Edit(last, last, f"{_indent(source, behind)}{found.name}.step()\n")
    if written.function is not None:
        yield from _in_function(source, found, written.function)


def _function(found: Schedule) -> str:
    """The function of the schedule's number: one of the script's own where it is no other."""
    alone = re.fullmatch(rf"(\w+)\({found.interval}\)", found.factor)
    return alone.group(1) if alone else f"lambda {found.interval}: {found.factor}"


def _indent(source: Source, statement: ast.stmt) -> str:
    line = source.lines[statement.lineno - 1]
    return line[: len(line) - len(line.lstrip())]


def _in_function(source: Source, found: Schedule, function: ast.FunctionDef) -> Iterator[Edit]:
    """The script's own function: it returns the rate now, or nothing is left of it."""
    if not found.called:
        end = function.end_lineno or function.lineno
        while end < len(source.lines) and not source.lines[end].strip():
            end += 1
        yield Edit(function.lineno - 1, end, "")
        return
    names = [
        a for a in function.args.args if a.arg in (given(found.written) or {}) and a.arg != found.written.optimizer.id
    ]
    first = function.body[0].lineno
    header = "".join(source.lines[function.lineno - 1 : first - 1]).split("->")
    result = f" ->{header[1].rstrip().removesuffix(':')}" if len(header) == 2 and "None" not in header[1] else ""
    arguments = ", ".join(source.segment(a) for a in names)
    yield Edit(function.lineno - 1, first - 1, f"def {found.called}({arguments}){result}:\n")
    loop, last = found.written.loop, function.body[-1]
    text = "" if last is not loop else f"{_indent(source, loop)}return {source.segment(found.written.rate)}\n"
    yield Edit(loop.lineno - 1, loop.end_lineno or loop.lineno, text)
