"""Whether the end of the epoch in which the training ends is seen by nobody, so that it may run though a `return` passed over it.

while True:                             return leaves the function, and with it the epoch's number;
    for batch in loader:                Lightning ends the epoch before it stops, and counts once more
        ...
        if step >= limit: return
    epoch += 1
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.names import flow, free_names
from .afterwards import statements_after
from .draft import Draft
from .handlers import read_in_handlers


def ends_unseen(draft: Draft) -> bool:
    """Whether all that an epoch does behind its batches gives values to names that nothing reads when the training is over."""
    after = draft.epoch.after
    if not after:
        return True
    if not all(_only_binds(item) for item in after):
        return False
    written = {variable for item in after for variable in draft.variables.use(item).written}
    if written & draft.variables.sequence(draft.epoch.batch).written:
        return False
    names = {variable.name for variable in written}
    if any(
        variable.scope is not draft.nest.entry.scope or isinstance(variable.scope, ast.Module) for variable in written
    ):
        return False
    seen = flow(statements_after(draft)).exposed | read_in_handlers(draft)
    return not names & seen and not any(names & free_names(function) for function in draft.source.functions)


def _only_binds(item: Item) -> bool:
    """Whether the item counts, or gives a name a constant: it fails in no epoch that ends early."""
    match item.node if item.kind == "statement" else None:
        case ast.Assign(targets=[ast.Name()], value=ast.Constant()):
            return True
        case ast.AugAssign(target=ast.Name(), op=ast.Add() | ast.Sub(), value=ast.Constant(value=int() | float())):
            return True
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.BinOp(
                left=ast.Name(id=counted), op=ast.Add() | ast.Sub(), right=ast.Constant(value=int() | float())
            ),
        ):
            return name == counted
    return False
