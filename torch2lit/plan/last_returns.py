"""A `return` in the loop that does no more than to end the loop: the function ends behind it in the same way.

for epoch in range(args.epochs):
    ...
    if loss < best: return          →   self.trainer.should_stop = True
                                        (no statement follows the loop, or one that returns the same)
"""

from __future__ import annotations

import ast

from .afterwards import statements_after
from .draft import Draft


def leaves_only_loop(draft: Draft, control: ast.AST) -> bool:
    """Whether a `return` of the entry function is a `break` out of all its loops."""
    if not isinstance(control, ast.Return) or draft.source.scope_of(control) is not draft.nest.entry.scope:
        return False
    for ancestor in draft.source.ancestors(draft.nest.outermost):
        if ancestor is draft.nest.entry.scope:
            break
        if isinstance(ancestor, ast.For | ast.While):
            return False
    follow = statements_after(draft)
    if not follow:
        return _value(control) == "None"
    return isinstance(follow[0], ast.Return) and _value(follow[0]) == _value(control)


def _value(control: ast.Return) -> str:
    return "None" if control.value is None else ast.unparse(control.value)
