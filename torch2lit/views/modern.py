"""Code of an older torch as a current one has it: line by line, so that the lines of the raw text stay right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..findings import Finding, finding
from ..legacy.modernise import Modernised, edits_of_lines, modernised, repaired
from ..origin import Change, Origin
from ..program import Conversion, LedgerEntry, Outcome
from .way import MODERN, Blocked, Program, Way


class ModernView:
    """A program without the constructs that a current torch does not run."""

    name = MODERN

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The modernised text; the program as it is, with what is to be said of it, when there is only that."""
        if program.nests or program.classes_that_train:
            yield from self.of_any(program)

    def of_any(self, program: Program) -> Iterator[Way]:
        """The same for a program whose training loops nobody has looked for."""
        modern = modernised(program.source, program.roles)
        if modern.done or modern.only_told:
            text = modern.after if modern.done else program.text
            yield Way(program.seen(text, MODERN), origin_of(modern), partial(_finished, modern))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def repair(program: Program) -> Way | None:
    """A program that does not parse, without the constructs that keep it from parsing; None when it does not even so."""
    if (modern := repaired(program.text)) is None:
        return None
    return Way(program.seen(modern.after), origin_of(modern), partial(_finished, modern))


def origin_of(modern: Modernised) -> Origin:
    """The way back from a text that is rewritten within its lines."""
    changes = tuple(Change(one.pieces[0].start[0], name, one.meaning) for name, one in modern.done)
    return Origin(modern.before, changes=changes)


def _finished(modern: Modernised, told: Conversion, result: Conversion) -> Conversion:
    """With the modernised lines that the conversion leaves where they are. A file that is not converted stays raw."""
    if result.outcome is not Outcome.CONVERTED:
        return told
    own = edits_of_lines(modern, result.edits)
    emptied = [e for e in own if not e.text]
    after = apply_edits(split_lines(modern.after), [*result.edits, *emptied]) if emptied else result.after
    return replace(
        told,
        after=after,
        edits=tuple(sorted([*result.edits, *own], key=lambda e: (e.start, e.end))),
        findings=tuple(sorted({*told.findings, *_findings(modern, result.ledger)})),
    )


def _findings(modern: Modernised, ledger: tuple[LedgerEntry, ...]) -> Iterable[Finding]:
    for name, one in modern.done:
        slug = "modernised" if one.certain else "modernised-likely"
        yield finding(slug, one.line, f"{name}: {one.meaning}", end_line=one.end_line)
    for name, one in modern.only_told:
        if one.settled_in and any(e.line <= one.line <= e.end_line and e.target in one.settled_in for e in ledger):
            continue
        yield finding("old-torch-left", one.line, f"{name}: {one.meaning}", end_line=one.end_line)
