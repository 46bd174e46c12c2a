"""A bar that takes the name of what it is around: the name goes on meaning the loader once the loop is Lightning's.

def train(loader):                        loader = tqdm(loader)        →   (nothing)
    loader = tqdm(loader)                 loader.set_description(...)  →   self.log(...)
    for batch in loader: ...              len(loader)                  →   len(self.trainer.train_dataloader)
"""

from __future__ import annotations

import ast

from ..recover.items import Item, names_in
from ..recover.loops import is_bar_around
from ..recover.names import parameter_names
from ..recover.variables import Variable
from .draft import Draft, Removal


def set_aside_bar(draft: Draft, items: list[Item]) -> None:
    """Take out the statement that puts the batch loop's bar in the loader's place, before names are brought together."""
    loop = draft.nest.batches
    if loop is None or not loop.bar_name:
        return
    scope = draft.nest.inner.scope
    given = not isinstance(scope, ast.Module) and loop.bar_name in parameter_names(scope)
    for item in items:
        if item.kind == "statement" and item.frame is draft.nest.inner:
            for bar in _own_bars(item.node, loop.bar_name, given):
                draft.removals[bar] = Removal(
                    "Trainer(enable_progress_bar=True)", "progress_bar", "Lightning shows its own bar"
                )
    draft.variables.gone = {*draft.removals}


def _own_bars(statement: ast.stmt, name: str, given: bool) -> list[ast.stmt]:
    """The statements ``loader = tqdm(loader)``, for a parameter under a condition, too: what is looped over stays the same."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name and is_bar_around(value, name):
            return [statement]
        case ast.If(body=body, orelse=[]) if given:
            return [bar for inner in body for bar in _own_bars(inner, name, given)]
    return []


def read_as_loader(draft: Draft, variable: Variable, hook: str) -> bool:
    """Whether a hook reads the variable in a statement that does more than move or label the bar."""
    source = draft.source
    for item in draft.hooks.get(hook, []):
        for node, frame in names_in(item):
            if draft.variable(node, frame) is variable and not any(
                part in draft.removals or part in draft.claims for part in [item.node, *source.ancestors(node)]
            ):
                return True
    return False
