"""A program whose functions are given the optimizers that they read by name, so that the module can make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import edits_between
from ..made_inside.readers import find_readers, handed_over
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from ..recover.wanted_names import WantedNames
from .way import HANDED_OVER, UNCONVERTED, Blocked, Program, Way


class HandedOverView:
    """A program in which the loop alone knows its optimizers."""

    name = HANDED_OVER

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all of them, each on the line on which it was."""
        if program.view is not None or program.group is not None or not program.nests or "\r" in program.text:
            return
        readers = find_readers(program.nests, program.roles, WantedNames(program.path))
        if readers:
            text = handed_over(program.source, readers)
            yield Way(program.seen(text, HANDED_OVER), Origin(program.text), partial(_finished, program))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(program: Program, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when the module makes optimizers."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    if not any(entry.target == "configure_optimizers" for entry in result.ledger):
        return Blocked("made-outside")
    return replace(told, edits=edits_between(program.text, result.after))
