"""One notebook through the engine: its code cells as one program, and the result back in its cells."""

from __future__ import annotations

import re
from dataclasses import replace

from . import catalogue as catalogue
from .files.lines import split_lines
from .files.notebooks import NotebookSource
from .files.prefilter import NO_TRAINING_LOOP, SKIP_FILE, asks_to_skip, may_train
from .findings import Finding, finding
from .options import Options
from .process import convert_in_project, convert_python, failed
from .program import Conversion, LedgerEntry, NestSummary, Outcome
from .project import ProgramConversion

_PLACE = re.compile(r"(\d+):(\d+): (.*)", re.DOTALL)


def convert_notebook(notebook: str, name: str, options: Options) -> Conversion:
    """Convert the JSON text of a notebook alone, see `convert_notebook_program`."""
    return convert_notebook_program(notebook, name, options, in_project=False).entry


def convert_notebook_program(
    notebook: str, name: str, options: Options, *, in_project: bool = True
) -> ProgramConversion:
    """Convert the JSON text of a notebook, with the help of the files that it imports when ``in_project``.

    The texts of the conversion are JSON, and its lines are lines of the file. Raises SourceError when it is
    no notebook.
    """
    source = NotebookSource(notebook)
    untouched = Conversion(name, Outcome.UNCHANGED, notebook, notebook)
    if not source.is_python:
        return ProgramConversion(replace(untouched, reason="not a Python notebook"))
    if asks_to_skip(source.text):
        return ProgramConversion(replace(untouched, reason=SKIP_FILE))
    code = source.text.encode("utf-8", "surrogatepass")
    program = ProgramConversion(replace(untouched, before=source.text, after=source.text, reason=NO_TRAINING_LOOP))
    if may_train(code):
        program = ProgramConversion(convert_python(source.text, name, options))
    if in_project:
        program = convert_in_project(program.entry, code, options) or program
    conversion = _in_cells(program.entry, source, notebook)
    findings = tuple(sorted(_unread(source) + conversion.findings))
    return replace(program, entry=replace(conversion, findings=findings))


def _in_cells(program: Conversion, source: NotebookSource, notebook: str) -> Conversion:
    """The conversion of the program as one of the notebook."""
    after: str | None = notebook
    if program.outcome is Outcome.CONVERTED and program.after != program.before:
        if lost := source.changed_magics(program.after):
            message = f"`{lost[0]}` reads variables that would live in the module"
            refusal = finding("output-not-valid", _line_of(lost[0], source), message)
            program = replace(
                program, outcome=Outcome.REFUSED, mechanism=None, findings=(refusal,), ledger=(), nests=()
            )
        elif (after := _converted(program, source)) is None:
            return failed(program.path, "internal error: the converted program does not fit into its cells", notebook)
        elif after == notebook:
            # All that changed stood in placeholders of the notebook's own lines.
            program = replace(program, outcome=Outcome.UNCHANGED, mechanism=None, reason=NO_TRAINING_LOOP)
    return replace(_in_file(program, source), before=notebook, after=after or notebook, edits=())


def _line_of(text: str, source: NotebookSource) -> int:
    """The line of the program that holds the placeholder of a line of the notebook."""
    lines = split_lines(source.text)
    return next((n for n, line in enumerate(lines, 1) if source.restore_magics(line).strip() == text), 1)


def _converted(raw: Conversion, source: NotebookSource) -> str | None:
    """The notebook after the conversion; None when its cells do not hold the converted program."""
    after = source.with_code(raw.after)
    if after is None:
        return None
    again = NotebookSource(after)
    same = _code(again.restore_magics(again.text)) == _code(source.restore_magics(raw.after))
    return after if same else None


def _code(text: str) -> list[str]:
    """The lines that hold something: blank lines at a cell's ends come and go, and a semicolon that hides a value comes."""
    return [line.rstrip().removesuffix(";") for line in text.splitlines() if line.strip()]


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
    message = f"cell {source.cell_at(one.line - 1)}: {source.restore_magics(one.message)}"
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
