"""A program whose later trainings make the optimizer with which they go on, so that each module can make its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..made_inside.again import find_again, made_again
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from ..recover.wanted_names import WantedNames
from .way import MADE_AGAIN, UNCONVERTED, Blocked, Program, Way, as_it_is


class MadeAgainView:
    """A program in which no two trainings share an optimizer."""

    name = MADE_AGAIN

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which each makes its own and loads the state of the one before."""
        if program.view is not None or program.group is not None or len(program.nests) < 2:
            return
        found = find_again(program.nests, program.roles, WantedNames(program.path))
        if found:
            text, lines, makers = made_again(program.source, found)
            yield Way(
                program.moved(text, lines, MADE_AGAIN), Origin(program.text, lines), partial(made_by_modules, makers)
            )

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def made_by_modules(makers: tuple[int, ...], told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when modules make all of them."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    moved = {n for e in result.ledger if e.target == "configure_optimizers" for n in range(e.line, e.end_line + 1)}
    return as_it_is(told, result) if {*makers} <= moved else Blocked("made-outside")
