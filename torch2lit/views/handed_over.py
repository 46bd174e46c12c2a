"""A program whose functions are given the optimizers that they read by name, so that the module can make them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..files.edits import edits_between
from ..made_inside.readers import Reader, find_readers, handed_over
from ..made_inside.set_readers import find_set_readers
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from ..recover.wanted_names import WantedNames
from .way import HANDED_OVER, UNCONVERTED, Blocked, Program, Way

_GLOBAL = re.compile(r"^ *global (.*)$", re.MULTILINE)


class HandedOverView:
    """A program in which the loop alone knows its optimizers, and what it sets in each turn."""

    name = HANDED_OVER

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all of them, each on the line on which it was."""
        if program.view is not None or program.group is not None or not program.nests or "\r" in program.text:
            return
        wanted = WantedNames(program.path)
        readers = find_readers(program.nests, program.roles, wanted)
        taken = {one.function for one in readers}
        setting = [r for r in find_set_readers(program.nests, program.roles, wanted) if r.function not in taken]
        both: list[tuple[list[Reader], list[Reader]]] = [(readers, setting)]
        both += [(readers, []), ([], setting)] if readers and setting else []
        for optimizers, others in both:
            if optimizers or others:
                text = handed_over(program.source, [*optimizers, *others])
                finish = partial(_finished, program, optimizers, others)
                yield Way(program.seen(text, HANDED_OVER), Origin(program.text), finish)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(
    program: Program, readers: Sequence[Reader], others: Sequence[Reader], told: Conversion, result: Conversion
) -> Conversion | Blocked:
    """As it is, when the module makes optimizers, and keeps to itself what the loop sets."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    names = {name for one in others for name in one.names}
    if any(names & {*words.replace(",", " ").split()} for words in _GLOBAL.findall(result.after)):
        return Blocked("set-by-the-script")
    if readers and not any(entry.target == "configure_optimizers" for entry in result.ledger):
        return Blocked("made-outside")
    return replace(told, edits=edits_between(program.text, result.after))
