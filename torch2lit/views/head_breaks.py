"""A program whose epochs begin with a look at whether to stop: as one whose epochs end with it."""

from __future__ import annotations

from collections.abc import Iterator

from ..head_breaks.found import find_head_breaks
from ..head_breaks.text import turned
from ..memory import is_python
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from .way import HEAD_BREAKS, UNCONVERTED, Blocked, Program, Way, as_it_is


class HeadBreaksView:
    """A program in which the end of each epoch looks."""

    name = HEAD_BREAKS

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all of them, where the batches are the Trainer's then."""
        if program.view is not None or not program.nests:
            return
        found = find_head_breaks(program.nests, program.roles)
        new = turned(program.source, found) if found else None
        if new is not None and is_python(new.text):
            yield Way(program.moved(new.text, new.lines, HEAD_BREAKS), Origin(program.text, new.lines), _finished)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(told: Conversion, result: Conversion) -> Conversion | Blocked:
    if result.outcome is not Outcome.CONVERTED or result.mechanism not in (Mechanism.AUTOMATIC, Mechanism.MANUAL):
        return Blocked(UNCONVERTED)
    return as_it_is(told, result)
