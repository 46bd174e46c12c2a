"""A program that runs over the phases of an epoch: as one in which training and evaluation stand one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..comments import lost_notes
from ..files.edits import edits_between
from ..origin import Origin
from ..phase_loops.found import PhaseLoop, find_phase_loop
from ..phase_loops.text import apart
from ..program import Conversion, Mechanism, Outcome
from ..recover.project_text import other_text
from ..recover.syntax import walk
from .copies import ledger_of_copies
from .way import PHASES, UNCONVERTED, Blocked, Program, Way

_DECIDED = "what it decides is known in each phase"
_BY_BATCHES = (Mechanism.AUTOMATIC, Mechanism.MANUAL)


class PhaseLoopsView:
    """A program in which each phase is written out."""

    name = PHASES

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with the first such loop written out; the next one is found in that text."""
        if not program.nests and not program.findings:
            return
        others = partial(other_text, program.path)
        found = find_phase_loop(program.roles, others)
        if found is None or (new := apart(program.roles, found, others)) is None:
            return
        text, lines = new
        origin = Origin(program.text, lines)
        yield Way(program.moved(text, lines), origin, partial(_finished, program, found, origin))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(
    program: Program, found: PhaseLoop, origin: Origin, told: Conversion, result: Conversion
) -> Conversion | Blocked:
    """With an entry for each raw statement, when the training phase runs by batches."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism not in _BY_BATCHES:
        return Blocked(UNCONVERTED)
    inside: dict[int, ast.stmt] = {}
    for node in walk(found.loop):
        if isinstance(node, ast.stmt):
            inside.setdefault(node.lineno, node)
    findings = {one for one in told.findings if one.slug != "comment-removed"}
    findings |= set(lost_notes(program.text, result.after))
    return replace(
        told,
        findings=tuple(sorted(findings)),
        ledger=ledger_of_copies(program.source, origin, result, inside, _DECIDED, left=True),
        edits=edits_between(program.text, result.after),
    )
