"""A program whose functions give back the states that they loaded into optimizers, so that the module can load them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import apply_edits, edits_between
from ..files.lines import split_lines
from ..given_back.found import find_loaders
from ..given_back.text import GivenBack, given_back
from ..origin import Change, Origin
from ..program import Conversion, Outcome
from ..recover.wanted_names import WantedNames
from ..rewrite.assemble import unused_import_edits
from .way import GIVEN_BACK, UNCONVERTED, Blocked, Program, Way

_MEANING = "the function gives the state back, and the module loads it"


class GivenBackView:
    """A program in which no function gets an optimizer only to load its state."""

    name = GIVEN_BACK

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which all of them give the states back."""
        if program.view is not None or program.group is not None or not program.nests or "\r" in program.text:
            return
        loaders = find_loaders(program.roles, WantedNames(program.path))
        text = given_back(program.roles, loaders) if loaders else None
        if text is not None:
            changes = tuple(Change(line, "configure_optimizers", _MEANING) for line in text.changed)
            origin = Origin(program.text, text.made.lines, changes=changes)
            yield Way(program.seen(text.made.text, GIVEN_BACK), origin, partial(_finished, program, text))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(program: Program, text: GivenBack, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when the module makes an optimizer and loads a state; what others load, they load where they did."""
    if result.outcome is not Outcome.CONVERTED:
        return Blocked(UNCONVERTED)
    moved = {n for e in result.ledger if e.target == "configure_optimizers" for n in range(e.line, e.end_line + 1)}
    if not moved or (text.made.made and moved.isdisjoint(text.made.made)):
        return Blocked("loaded-outside")
    told = replace(told, ledger=tuple(dict.fromkeys(told.ledger)), edits=edits_between(program.text, result.after))
    return _without_imports(program, told)


def _without_imports(program: Program, told: Conversion) -> Conversion:
    """Without the imports of classes that only a parameter was said to be of."""
    unused = unused_import_edits(program.source, told.after, list(told.edits), WantedNames(program.path))
    edits = tuple(sorted([*told.edits, *unused], key=lambda e: (e.start, e.end)))
    return replace(told, after=apply_edits(split_lines(program.text), edits), edits=edits)
