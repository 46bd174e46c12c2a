"""One notebook through the engine: its code cells as one program, and the result back in its cells."""

from __future__ import annotations

from dataclasses import replace

from . import catalogue as catalogue
from .files.lines import split_lines
from .files.notebooks import NotebookSource
from .files.prefilter import NO_TRAINING_LOOP, SKIP_FILE, asks_to_skip, may_train
from .findings import Finding, finding
from .legacy.modernise import repaired
from .options import Options
from .origin import Origin, Words, told
from .process_python import convert_in_project, convert_python, failed
from .program import Cause, Conversion, Outcome
from .project import ProgramConversion


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
    source = _opened(notebook)
    untouched = Conversion(name, Outcome.UNCHANGED, notebook, notebook)
    if not source.is_python:
        return ProgramConversion(replace(untouched, reason="not a Python notebook"))
    if asks_to_skip(source.text):
        return ProgramConversion(replace(untouched, reason=SKIP_FILE))
    code = source.text.encode("utf-8", "surrogatepass")
    program = ProgramConversion(
        replace(untouched, before=source.text, after=source.text, reason=NO_TRAINING_LOOP, cause=Cause.NO_LOOP)
    )
    if may_train(code):
        program = ProgramConversion(convert_python(source.text, name, options))
    if in_project:
        program = convert_in_project(program.entry, code, options) or program
    conversion = _in_cells(program.entry, source, notebook)
    findings = tuple(sorted(_unread(source) + conversion.findings))
    return replace(program, entry=replace(conversion, findings=findings))


def _opened(notebook: str) -> NotebookSource:
    return NotebookSource(notebook, repairs=lambda code: repaired(code) is not None)


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
            program = replace(
                program, outcome=Outcome.UNCHANGED, mechanism=None, reason=NO_TRAINING_LOOP, cause=Cause.NO_LOOP
            )
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
    again = _opened(after)
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
    failure = conversion.failure
    if failure is not None and failure.line:
        line, column = source.place_in_file(failure.line, failure.column)
        failure = replace(failure, line=line, column=column, cell=source.cell_at(failure.line - 1))
    findings = tuple(
        replace(one, message=f"cell {source.cell_at(one.line - 1)}: {one.message}") if one.line else one
        for one in conversion.findings
    )
    found = told(replace(conversion, findings=findings), _origin(conversion, source))
    return replace(found, error=str(failure or ""), failure=failure)


def _origin(conversion: Conversion, source: NotebookSource) -> Origin:
    """The way back from the program to the file, as far as the conversion speaks of it."""
    lines = {line for one in conversion.findings for line in (one.line, one.end_line)}
    lines |= {line for entry in conversion.ledger for line in (entry.line, entry.end_line)}
    for nest in conversion.nests:
        lines |= {nest.line, *(line for _phase, line in nest.phases), *(line for _name, line, _why in nest.obstacles)}
    places = {line: source.place_in_file(line)[0] for line in lines if line}
    words = Words(source.restore_magics, source.restore_magics)
    return Origin(None, places, (words,), columns=lambda line, column: source.place_in_file(line, column)[1])
