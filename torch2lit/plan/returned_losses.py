"""Where a function that trains on a batch hands its loss back as a number, which its caller keeps.

def train_on(x, y):
    loss = criterion(net(x), y)         logged here: behind the last statement that gives the loss its value
    ...
    return loss.item()
total += train_on(x, y)
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..recover.items import Item
from ..recover.variables import Variable
from .draft import Draft
from .kept_losses import bare_value


def returned_losses(draft: Draft, hooks: Sequence[str]) -> Iterator[tuple[str, Item, ast.Name]]:
    """The hook and the statement that gives each such number its value, and its name there."""
    placed = [(hook, item) for hook in hooks for item in draft.hooks.get(hook, [])]
    for place, (_hook, item) in enumerate(placed):
        for name in _numbers(item):
            assert item.callee is not None
            variable = draft.variables.of(item.callee, name.id)
            if variable is not None and (found := _last_binding(draft, placed[:place], variable)) is not None:
                yield (*found, name)


def _numbers(item: Item) -> Iterator[ast.Name]:
    """The names whose values a call's result holds as numbers of Python."""
    if item.kind != "result" or item.value is None:
        return
    for part in item.value.elts if isinstance(item.value, ast.Tuple) else [item.value]:
        bare, single = bare_value(part)
        if single and isinstance(bare, ast.Name):
            yield bare


def _last_binding(draft: Draft, before: Sequence[tuple[str, Item]], variable: Variable) -> tuple[str, Item] | None:
    """The statement of the batch that surely gives a variable its value last; None when there is no such one."""
    for hook, item in reversed(before):
        if variable in draft.variables.use(item).written:
            surely = item.kind == "statement" and variable in draft.variables.sequence([item]).definite
            return (hook, item) if surely and item.guard is None and item.node not in draft.removals else None
    return None
