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
from ..recover.phases import Validation
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft, Removal

_OF_LOADERS = {"dataset", "batch_size", "sampler", "batch_sampler", "drop_last", "num_workers"}
_OF_BARS = {"set_description", "set_description_str", "set_postfix", "set_postfix_str", "update", "close", "refresh"}


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


def set_aside_bar_of(draft: Draft, found: Validation) -> list[ast.stmt]:
    """Take out the statement that puts an evaluation's bar in the place of the loader that its function is given; what was taken out."""
    name, scope = found.loop.bar_name, found.frame.scope
    if found.others or not name or isinstance(scope, ast.Module) or name not in parameter_names(scope):
        return []
    own = [i for i in found.before if i.kind == "statement" and i.frame is found.frame]
    bars = [bar for item in own for bar in _own_bars(item.node, name, True)]
    if not bars or not _is_bar_or_loader(draft, found, name, bars):
        return []
    for bar in bars:
        draft.removals[bar] = Removal("validation", "progress_bar", "Lightning shows its own bar")
    draft.variables.gone = {*draft.removals}
    return bars


def give_back_bar(draft: Draft, bars: list[ast.stmt]) -> None:
    """Put in again what was taken out for an evaluation that stays as it is."""
    for bar in bars:
        del draft.removals[bar]
    draft.variables.gone = {*draft.removals}


def _is_bar_or_loader(draft: Draft, found: Validation, name: str, bars: list[ast.stmt]) -> bool:
    """Whether all that a function does with a name is to loop over it, what it may do with the loader, too, or what moves or labels a bar."""
    head = [found.loop.node.iter] if isinstance(found.loop.node, ast.For) else []
    known = {id(n) for part in (*bars, *head) for n in walk(part)}
    uses = [n for n in walk(found.frame.scope) if isinstance(n, ast.Name) and n.id == name and id(n) not in known]
    return all(_is_told_or_asked(draft, use) for use in uses)


def _is_told_or_asked(draft: Draft, use: ast.Name) -> bool:
    parent = draft.source.parents[use]
    match parent:
        case ast.Call(func=ast.Name(id="len"), args=[_]):
            return True
        case ast.Attribute(attr=attr) if attr in _OF_BARS:
            call = draft.source.parents[parent]
            return isinstance(call, ast.Call) and isinstance(draft.source.parents[call], ast.Expr)
        case ast.Attribute(attr=attr):
            return attr in _OF_LOADERS
    return False


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
