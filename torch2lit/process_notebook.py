"""One notebook through the engine: its code cells as one program, and the result back in its cells."""

from __future__ import annotations

import re
from dataclasses import replace

from . import catalogue as catalogue
from .files.edits import apply_edits, edits_between
from .files.lines import split_lines
from .files.notebooks import NotebookSource
from .files.prefilter import NO_TRAINING_LOOP, SKIP_FILE, asks_to_skip, may_train
from .findings import Finding, finding
from .options import Options
from .process import convert_python, failed
from .program import Conversion, Edit, LedgerEntry, NestSummary, Outcome

_PLACE = re.compile(r"(\d+):(\d+): (.*)", re.DOTALL)


def convert_notebook(notebook: str, name: str, options: Options) -> Conversion:
    """Convert the JSON text of a notebook.

    The texts of the conversion are JSON, and its lines are lines of the file. Raises SourceError when it is
    no notebook.
    """
    source = NotebookSource(notebook)
    if not source.is_python:
        return Conversion(name, Outcome.UNCHANGED, notebook, notebook, reason="not a Python notebook")
    if asks_to_skip(source.text):
        return Conversion(name, Outcome.UNCHANGED, notebook, notebook, reason=SKIP_FILE)
    unread = _unread(source)
    if not may_train(source.text.encode("utf-8", "surrogatepass")):
        return Conversion(name, Outcome.UNCHANGED, notebook, notebook, findings=unread, reason=NO_TRAINING_LOOP)
    program = convert_python(source.text, name, options)
    after = _converted(program, source) if program.outcome is Outcome.CONVERTED else notebook
    if after is None:
        return failed(name, "internal error: the converted program does not fit into its cells", notebook)
    if program.outcome is Outcome.CONVERTED and after == notebook:
        # All that changed stood in placeholders of the notebook's own lines.
        program = replace(program, outcome=Outcome.UNCHANGED, mechanism=None, reason=NO_TRAINING_LOOP)
    conversion = _in_file(program, source)
    findings = tuple(sorted(unread + conversion.findings))
    return replace(conversion, before=notebook, after=after, edits=(), findings=findings)


def _converted(raw: Conversion, source: NotebookSource) -> str | None:
    """The notebook after the conversion; None when its cells do not hold the converted program."""
    lines = split_lines(source.text)
    edits: tuple[Edit, ...] = raw.edits
    if not edits or apply_edits(lines, edits) != raw.after:
        edits = edits_between(source.text, raw.after)
    after = source.replace(edits)
    again = NotebookSource(after)
    same = _code(again.restore_magics(again.text)) == _code(source.restore_magics(raw.after))
    return after if same else None


def _code(text: str) -> list[str]:
    """The lines that hold something: a cell whose last line left may end in a newline that it had not."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _unread(source: NotebookSource) -> tuple[Finding, ...]:
    return tuple(
        finding(
            "unparsable-cell",
            cell.line,
            f"cell {cell.number} (`{cell.first_line[:60]}`) is not Python, left as it is",
        )
        for cell in source.unread
        if cell.may_train or not cell.is_foreign
    )


def _in_file(conversion: Conversion, source: NotebookSource) -> Conversion:
    """The same conversion with lines of the file in place of lines of the program."""
    error = conversion.error
    if place := _PLACE.fullmatch(error):
        cell = source.cell_at(int(place[1]) - 1)
        line, column = source.place_in_file(int(place[1]), int(place[2]))
        error = f"{line}:{column}: cell {cell}: {place[3]}"
    return replace(
        conversion,
        error=error,
        findings=tuple(_finding_in_file(one, source) for one in conversion.findings),
        ledger=tuple(_entry_in_file(one, source) for one in conversion.ledger),
        nests=tuple(_nest_in_file(one, source) for one in conversion.nests),
    )


def _line(line: int, source: NotebookSource) -> int:
    return source.place_in_file(line)[0] if line else 0


def _finding_in_file(one: Finding, source: NotebookSource) -> Finding:
    if not one.line:
        return one
    line, column = source.place_in_file(one.line, one.column)
    message = f"cell {source.cell_at(one.line - 1)}: {one.message}"
    return replace(one, line=line, column=column, end_line=_line(one.end_line, source), message=message)


def _entry_in_file(one: LedgerEntry, source: NotebookSource) -> LedgerEntry:
    return replace(
        one,
        line=_line(one.line, source),
        end_line=_line(one.end_line, source),
        source=source.restore_magics(one.source),
    )


def _nest_in_file(one: NestSummary, source: NotebookSource) -> NestSummary:
    phases = tuple((phase, _line(line, source)) for phase, line in one.phases)
    return replace(one, line=_line(one.line, source), phases=phases)
