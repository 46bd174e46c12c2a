"""A program whose later loops make an optimizer anew, with the state of the one that the loops before have stepped, so that each module makes its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import edits_between
from ..made_inside.carried_on import Derived, carried_text, find_carried
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from ..recover.wanted_names import WantedNames
from .way import CARRIED_ON, UNCONVERTED, Blocked, Program, Way


class CarriedOnView:
    """A program in which no optimizer is stepped by two loops."""

    name = CARRIED_ON

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which all such optimizers are made anew."""
        if program.view is not None or program.group is not None or len(program.nests) < 2:
            return
        found = find_carried(program.nests, program.roles, WantedNames(program.path))
        derived = carried_text(program.source, found) if found else None
        if derived is not None:
            origin = Origin(program.text, derived.lines)
            yield Way(program.seen(derived.text, CARRIED_ON), origin, partial(_finished, program, derived))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(program: Program, derived: Derived, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when the modules make all of them."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    moved = {n for e in result.ledger if e.target == "configure_optimizers" for n in range(e.line, e.end_line + 1)}
    if not set(derived.made) <= moved:
        return Blocked("made-outside")
    return replace(told, edits=edits_between(program.text, result.after))
