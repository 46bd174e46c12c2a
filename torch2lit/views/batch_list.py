"""A program that loops over lists of batches: as one whose loops run over loaders of them."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator
from functools import partial

from ..batch_list.found import find_batch_lists
from ..batch_list.text import over_loaders
from ..memory import tree_of
from ..origin import Origin
from ..program import Conversion, Mechanism, Outcome
from .named_torch import named_torch
from .way import BATCH_LIST, UNCONVERTED, Blocked, Program, Way, as_it_is


class BatchListView:
    """A program in which a loader hands over each element of such a list."""

    name = BATCH_LIST

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with such loaders for all loops, and for each of them alone."""
        torch, above = named_torch(program)
        if program.view is not None or program.group is not None or not torch or not program.nests:
            return
        found = find_batch_lists(program.nests, program.roles)
        for some in [found, *([one] for one in found if len(found) > 1)] if found else []:
            text, lines, loaders = over_loaders(program.source, torch, some, above)
            seen = program.moved(text, lines, BATCH_LIST)
            yield Way(seen, Origin(program.text, lines), partial(_finished, loaders))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(loaders: Container[str], told: Conversion, result: Conversion) -> Conversion | Blocked:
    """The conversion when a Trainer runs over every loader."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism not in (Mechanism.AUTOMATIC, Mechanism.MANUAL):
        return Blocked(UNCONVERTED)
    heads = [n.iter for n in ast.walk(tree_of(result.after)) if isinstance(n, ast.For)]
    if any(isinstance(n, ast.Name) and n.id in loaders for head in heads for n in ast.walk(head)):
        return Blocked("loop-left")
    return as_it_is(told, result)
