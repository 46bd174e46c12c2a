"""Copies of a model that nobody asks for the mode in which they were made: whoever uses one first switches it.

best = copy.deepcopy(model)         in the loop, where nothing reads ``best``
...
best.eval()                         behind it, before anything runs the copy
"""

from __future__ import annotations

import ast

from ..recover.syntax import walk
from .draft import Draft
from .mode_afterwards import mode_shows_after

_COPY = "copy.deepcopy"


def unseen_copies(draft: Draft) -> frozenset[ast.Call]:
    """The calls of the loop that make such copies."""
    inside = [n for n in walk(draft.nest.outermost) if isinstance(n, ast.Assign)]
    found = {s.value: s.targets[0] for s in inside if len(s.targets) == 1 and isinstance(s.value, ast.Call)}
    return frozenset(
        call
        for call, target in found.items()
        if draft.roles.full_name(call.func) == _COPY and _is_copied_plainly(call) and _is_unseen(draft, target)
    )


def _is_copied_plainly(call: ast.Call) -> bool:
    return len(call.args) == 1 and not call.keywords and isinstance(call.args[0], ast.Name)


def _is_unseen(draft: Draft, target: ast.expr) -> bool:
    """Whether only code behind the loop reads a variable of the loop's scope, and switches what it finds in it before it shows its mode."""
    entry = draft.nest.entry
    if not isinstance(target, ast.Name) or draft.source.scope_of(target) is not entry.scope:
        return False
    key = draft.roles.key(entry.scope, target.id)
    variable = draft.variables.of(entry, target.id)
    if variable is None or key is None or key != (entry.scope, target.id):
        return False
    inside = {id(n) for n in walk(draft.nest.outermost)}
    read = [n for n in draft.roles.mentions(key) if isinstance(n.ctx, ast.Load)]
    if any(id(n) in inside or draft.source.scope_of(n) is not entry.scope for n in read):
        return False
    return not mode_shows_after(draft, variable)
