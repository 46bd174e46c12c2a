"""A program whose objects make their optimizers where they begin to train, so that the module can make them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..made_inside.on_call import find_on_call
from ..made_inside.on_call_text import made_on_call
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from .way import MADE_ON_CALL, UNCONVERTED, Blocked, Program, Way, as_it_is


class MadeOnCallView:
    """A program in which the one method that trains with an optimizer makes it."""

    name = MADE_ON_CALL

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which the first class that may does so."""
        if program.view is not None or program.group is not None or "\r" in program.text:
            return
        owners = [f.about for f in program.classes_that_train if f.about]
        found = find_on_call(program.roles, owners, program.path) if owners else None
        made = made_on_call(program.source, found) if found is not None else None
        if made is not None:
            text, lines, makers = made
            seen = program.moved(text, lines, MADE_ON_CALL)
            yield Way(seen, Origin(program.text, lines), partial(_finished, makers))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(makers: tuple[int, ...], told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when modules make all of them."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    moved = {n for e in result.ledger if e.target == "configure_optimizers" for n in range(e.line, e.end_line + 1)}
    return as_it_is(told, result) if {*makers} <= moved else Blocked("made-outside")
