"""A program that passes over its first epochs at their head: as one whose loop begins behind them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import edits_between
from ..memory import is_python
from ..origin import Origin, sorted_ledger
from ..plan.ledger import entry_of
from ..program import Conversion, Fate, Mechanism, Outcome
from ..recover.syntax import walk
from ..skipped_epochs.found import SkippedEpochs, find_skipped_epochs
from ..skipped_epochs.text import begun_later
from .way import SKIPPED_EPOCHS, UNCONVERTED, Blocked, Program, Way

_WHY = "the loop begins with the first epoch that is not passed over"


class SkippedEpochsView:
    """A program whose loop begins with the first epoch that trains."""

    name = SKIPPED_EPOCHS

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all of them, where the batches are the Trainer's then."""
        if program.view is not None or not program.nests:
            return
        found = find_skipped_epochs(program.nests, program.roles)
        new = begun_later(program.source, found) if found else None
        if new is not None and is_python(new.text):
            origin = Origin(program.text, new.lines)
            yield Way(program.moved(new.text, new.lines, SKIPPED_EPOCHS), origin, partial(_finished, program, found))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(
    program: Program, found: list[SkippedEpochs], told: Conversion, result: Conversion
) -> Conversion | Blocked:
    if result.outcome is not Outcome.CONVERTED or result.mechanism not in (Mechanism.AUTOMATIC, Mechanism.MANUAL):
        return Blocked(UNCONVERTED)
    gone = [s for one in found for s in walk(one.skip) if isinstance(s, ast.stmt)]
    entries = [entry_of(program.source, s, Fate.REPLACED, "range", SKIPPED_EPOCHS, _WHY) for s in gone]
    known = {entry.line for entry in told.ledger}
    ledger = sorted_ledger([*told.ledger, *(e for e in entries if e.line not in known)])
    return replace(told, ledger=ledger, edits=edits_between(told.before, result.after))
