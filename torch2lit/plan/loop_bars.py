"""The progress bars around the loops that Lightning runs now."""

from __future__ import annotations

import ast

from ..program import Mechanism
from ..recover.variables import Variable
from .draft import Draft


def loop_bars(draft: Draft) -> set[Variable]:
    """The variables that hold progress bars around loops that Lightning runs now."""
    nest = draft.nest
    loops = [(nest.epochs, nest.entry)]
    if draft.mechanism is not Mechanism.EPOCHS:
        loops.append((nest.batches, nest.inner))
    if draft.validation is not None:
        loops += [(one.loop, one.frame) for one in draft.validation.firsts]
    found = {v for loop, frame in loops if loop and loop.bar_name and (v := draft.variables.of(frame, loop.bar_name))}
    firsts = draft.validation.firsts if draft.validation is not None else []
    unwrapped = [*draft.epoch.unwrapped, *(node for one in firsts for node in one.unwrapped)]
    frames = [nest.inner, *(one.frame for one in firsts)]
    for node, frame in ((n, f) for n in unwrapped for f in frames):
        if isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name) and (v := draft.variables.of(frame, item.optional_vars.id)):
                    found.add(v)
    return found
