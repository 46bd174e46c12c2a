"""A `with` that does nothing but open the progress bar of the loop that the Trainer replaces: it goes with the loop."""

from __future__ import annotations

import ast

from ..program import Mechanism
from ..recover.loops import is_bar_call
from ..recover.syntax import walk
from .draft import Draft


def bar_around(draft: Draft) -> ast.With | None:
    """The `with` whose body is the loop alone and whose bar nothing else reads; None when there is none."""
    nest = draft.nest
    loop = nest.epochs or nest.batches
    if loop is None or loop.node is not nest.outermost or (nest.epochs is None and draft.mechanism is Mechanism.EPOCHS):
        return None
    parent = draft.source.parents[nest.outermost]
    match parent:
        case ast.With(items=[ast.withitem(context_expr=ast.Call() as bar, optional_vars=ast.Name(id=name))], body=[_]):
            opened = is_bar_call(bar) and loop.bar_name == name and parent.lineno < nest.outermost.lineno
            return parent if opened and not _read_outside(draft, parent, name) else None
    return None


def _read_outside(draft: Draft, block: ast.With, name: str) -> bool:
    inside = {id(n) for n in walk(block)}
    scope = draft.nest.entry.scope
    return any(isinstance(n, ast.Name) and n.id == name and id(n) not in inside for n in walk(scope))
