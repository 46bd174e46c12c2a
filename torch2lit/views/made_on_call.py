"""A program whose objects make their optimizers where they begin to train, so that the module can make them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ..made_inside.on_call import find_on_call
from ..made_inside.on_call_text import made_on_call
from ..origin import Origin
from ..recover.wanted_names import WantedNames
from .made_again import made_by_modules
from .way import MADE_ON_CALL, Blocked, Program, Way


class MadeOnCallView:
    """A program in which the one method that trains with an optimizer makes it."""

    name = MADE_ON_CALL

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which the first class that may does so."""
        if program.view is not None or program.group is not None or "\r" in program.text:
            return
        owners = [f.about for f in program.classes_that_train if f.about]
        found = find_on_call(program.roles, owners, WantedNames(program.path)) if owners else None
        made = made_on_call(program.source, found) if found is not None else None
        if made is not None:
            text, lines, makers = made
            seen = program.moved(text, lines, MADE_ON_CALL)
            yield Way(seen, Origin(program.text, lines), partial(made_by_modules, makers))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program
