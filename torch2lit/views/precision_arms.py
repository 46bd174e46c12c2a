"""A program that trains in mixed precision in one branch and in full precision in the other: as one that torch's ``enabled`` switches."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..comments import lost_notes
from ..files.edits import edits_between
from ..origin import Origin, sorted_ledger
from ..plan.ledger import entry_of
from ..precision_arms.found import Arms, PrecisionArms, find_precision_arms
from ..precision_arms.text import with_switches
from ..program import Conversion, Fate, Mechanism, Outcome
from ..recover.syntax import walk
from .way import PRECISION_ARMS, UNCONVERTED, Blocked, Program, Way

_WHY = "the Trainer's precision says whether it is mixed"


class PrecisionArmsView:
    """A program without such branches, where the Trainer's ``precision`` takes autocast and scaler."""

    name = PRECISION_ARMS

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with the branches of the training and of its evaluations as one, and with those of the training alone."""
        if program.view is not None or program.group is not None or "GradScaler" not in program.text:
            return
        for found in find_precision_arms(program.roles):
            for arms in dict.fromkeys(((*found.arms, *found.called), found.arms)):
                if (new := with_switches(program.source, found, arms)) is not None:
                    text, lines = new
                    seen = program.moved(text, lines, PRECISION_ARMS)
                    yield Way(seen, Origin(program.text, lines), partial(_finished, program, found, arms))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(
    program: Program, found: PrecisionArms, arms: Sequence[Arms], told: Conversion, result: Conversion
) -> Conversion | Blocked:
    """With the branches in the ledger, when the Trainer takes the scaler and every autocast."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is not Mechanism.AUTOMATIC:
        return Blocked(UNCONVERTED)
    switches = (f"enabled={program.source.segment(found.scaler.condition)})", ".is_enabled()")
    left = any(result.after.count(one) > program.text.count(one) for one in switches)
    if left or "precision=" not in result.after:
        return Blocked("precision-kept")
    known = {entry.line for entry in told.ledger}
    statements = [n for s in (found.scaler.statement, *(a.statement for a in arms)) for n in walk(s)]
    entries = [
        entry_of(program.source, one, Fate.REPLACED, "Trainer(precision=...)", "mixed_precision", _WHY)
        for one in statements
        if isinstance(one, ast.stmt) and one.lineno not in known
    ]
    notes = [n for n in lost_notes(program.text, result.after) if n not in told.findings]
    return replace(
        told,
        ledger=sorted_ledger([*told.ledger, *entries]),
        findings=tuple(sorted({*told.findings, *notes})),
        edits=edits_between(program.text, result.after),
    )
