"""A program that chooses its optimizer or ends with an error: as one that looks for the error first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..checked_first.found import Choice, find_choices
from ..checked_first.text import checked_first
from ..memory import is_python
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from .way import CHECKED_FIRST, UNCONVERTED, Blocked, Program, Way, as_it_is


class CheckedFirstView:
    """A program in which the error of each choice has a test of its own."""

    name = CHECKED_FIRST

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all of them, where the module chooses then."""
        if program.view is not None or not program.nests:
            return
        found = find_choices(program.nests, program.roles)
        new = checked_first(program.source, found) if found else None
        if new is not None and is_python(new.text):
            seen = program.moved(new.text, new.lines, CHECKED_FIRST)
            yield Way(seen, Origin(program.text, new.lines), partial(_finished, found))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(found: list[Choice], told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when the module makes what is chosen."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    moved = {n for e in told.ledger if e.target == "configure_optimizers" for n in range(e.line, e.end_line + 1)}
    if not {choice.statement.body[0].lineno for choice in found} <= moved:
        return Blocked("made-outside")
    return as_it_is(told, result)
