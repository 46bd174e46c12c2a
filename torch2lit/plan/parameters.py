"""Parameters of inlined functions whose argument is the same in every epoch: the argument stands where they are read.

def train(model, loader, clip): ... clip_grad_norm_(model.parameters(), clip)
train(model, loader, args.clip)             →   clip_grad_norm_(self.model.parameters(), self.hparams.clip)
train(model, loader, CLIP)                  →   clip_grad_norm_(self.model.parameters(), CLIP)      (imported)
train(model, loader, 0.5)                   →   clip_grad_norm_(self.model.parameters(), 0.5)       (read in another hook)
"""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.nest import Frame
from ..recover.syntax import walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft

Argument = tuple[ast.expr, Frame]
"""An expression, and the frame whose names it uses."""


def take_fixed_parameters(draft: Draft) -> dict[Variable, Argument]:
    """The arguments that may stand for their parameters everywhere; the items that bound them leave the hooks."""
    everything = draft.all_items()
    found: dict[Variable, Argument] = {}
    for hook, items in draft.hooks.items():
        kept = []
        for item in items:
            variable = draft.variables.of(item.frame, item.target) if item.target else None
            if variable is not None and (
                _is_fixed(draft, item, variable, everything)
                or _is_read_elsewhere(draft, item, variable, hook, everything)
            ):
                assert item.value is not None and item.frame.caller is not None
                found[variable] = (item.value, item.frame.caller)
                draft.united.append(item)
            else:
                kept.append(item)
        draft.hooks[hook] = kept
    return found


def fixed_argument(draft: Draft, variable: Variable) -> Argument | None:
    """What every epoch gives a parameter; None when that may differ, or when the variable is none."""
    everything = draft.all_items()
    for item in everything:
        if item.target and item.frame.caller is not None and draft.variables.of(item.frame, item.target) == variable:
            fixed = _is_number(item) or _is_fixed(draft, item, variable, everything)
            if fixed and item.value is not None and len(_writers(draft, variable, everything)) == 1:
                return item.value, item.frame.caller
    return None


def _is_number(item: Item) -> bool:
    return isinstance(item.value, ast.Constant) and type(item.value.value) in (int, float)


def _is_read_elsewhere(draft: Draft, item: Item, variable: Variable, hook: str, everything: list[Item]) -> bool:
    """Whether a parameter is a number that is written out, and read once, in another hook than the one that would bind it, or not at all."""
    if not _is_number(item) or len(_writers(draft, variable, everything)) != 1:
        return False
    readers = {place for place, items in draft.hooks.items() if variable in draft.variables.sequence(items).read}
    return readers != {hook} and _reads(draft, variable, everything) < 2


def _reads(draft: Draft, variable: Variable, everything: list[Item]) -> int:
    loads = (
        (node.id, frame)
        for item in everything
        for part, frame in parts(item)
        for node in walk(part)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    )
    return sum(draft.variables.of(frame, name) == variable for name, frame in loads)


def _writers(draft: Draft, variable: Variable, everything: list[Item]) -> list[Item]:
    return [i for i in everything if variable in draft.variables.use(i).written]


def _is_fixed(draft: Draft, item: Item, variable: Variable, everything: list[Item]) -> bool:
    if len(_writers(draft, variable, everything)) != 1 or item.frame.caller is None:
        return False
    match item.value:
        case ast.Attribute(value=ast.Name() as name, attr=attribute):
            owner = draft.variable(name, item.frame.caller)
        case ast.Name(id=imported):
            return _is_imported(draft, imported, item.frame.caller)
        case _:
            return False
    if owner is None or any(owner in draft.variables.use(i).written for i in everything):
        return False
    key = (owner.scope, owner.name)
    for other in everything:
        if key in draft.effects_of(other).mutates:
            return False
        for part, _frame in parts(other):
            for node in walk_scope(part):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr == attribute:
                    return False
    return True


def _is_imported(draft: Draft, name: str, frame: Frame) -> bool:
    """Whether a name only ever stands for something that the file imports, by a star perhaps, or for a builtin."""
    if draft.variables.of(frame, name) is not None:
        return False
    key = draft.roles.key(frame.scope, name)
    return key is None or (isinstance(key[0], ast.Module) and not draft.roles.rebound_unseen(key))
