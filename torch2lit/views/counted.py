"""A program whose `while` loops count to a number: as one with the `for` loops that they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..batch_source.counted import Counted, counted_text, find_counted
from ..files.edits import edits_between
from ..origin import Origin, sorted_ledger
from ..plan.ledger import entry_of
from ..program import Conversion, Fate, Mechanism, Outcome
from .way import COUNTED, UNCONVERTED, Blocked, Program, Way


class CountedView:
    """A program in which such loops run over a range."""

    name = COUNTED

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all of them."""
        if program.view is not None or program.group is not None or not program.nests:
            return
        found = find_counted(program.nests, program.roles)
        if found and (new := counted_text(program.source, found)) is not None:
            text, lines = new
            yield Way(
                program.moved(text, lines, COUNTED), Origin(program.text, lines), partial(_finished, program, found)
            )

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(program: Program, found: list[Counted], told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With the statements that count in the ledger."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    why = "the Trainer counts"
    gone = [statement for one in found for statement in one.gone]
    counted = [entry_of(program.source, one, Fate.REPLACED, "Trainer", "counted_while", why) for one in gone]
    return replace(
        told, ledger=sorted_ledger([*told.ledger, *counted]), edits=edits_between(program.text, result.after)
    )
