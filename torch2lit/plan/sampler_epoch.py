"""The Trainer tells the sampler of its loader the epoch by itself: a script's own call that says the same may go."""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.loops import DATA_LOADERS, Iterable
from ..recover.makings import sources
from ..recover.roles import Binding
from ..recover.variables import Variable
from .draft import EPOCH_START, Draft, Removal
from .first_epoch_told import SAMPLERS, counts_epochs, is_torchs
from .train_data import constructions


def leave_epoch_to_trainer(draft: Draft) -> None:
    """Remove ``sampler.set_epoch(epoch)`` at the epoch's start where the Trainer calls it with the same number."""
    data, batches = draft.train_data, draft.nest.batches
    if data is None or data.lazy or len(data.texts) != 1 or batches is None or not _counts_from_zero(draft):
        return
    loader = draft.variable(batches.base, draft.nest.inner)
    if loader is None:
        return
    for item in draft.hooks.get(EPOCH_START, []):
        if item.kind == "statement" and item.parent is None and _tells_epoch(draft, item, loader):
            reason = "the Trainer tells the loader's sampler the epoch"
            draft.removals.setdefault(item.node, Removal("Trainer.fit", "sampler_epoch", reason))


def _counts_from_zero(draft: Draft) -> bool:
    """Whether the epochs are counted as the Trainer counts them."""
    loop = draft.nest.epochs
    if loop is None or loop.kind is not Iterable.RANGE:
        return False
    match loop.base:
        case ast.Call(func=ast.Name(id="range"), args=[_] | [ast.Constant(value=0), _]):
            return True
    return False


def _tells_epoch(draft: Draft, item: Item, loader: Variable) -> bool:
    match item.node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=receiver, attr="set_epoch"), args=[ast.Name() as epoch], keywords=[]
            )
        ):
            pass
        case _:
            return False
    if not counts_epochs(draft, item, epoch):
        return False
    if isinstance(receiver, ast.Attribute) and receiver.attr == "sampler" and _is_surely_torchs(draft):
        return draft.variable(receiver.value, item.frame) is loader
    made = draft.roles.bindings((loader.scope, loader.name))
    if len(made) != 1 or not _is_made_by(draft, made[0], DATA_LOADERS):
        return False
    assert isinstance(made[0].value, ast.Call)
    sampler = next((k.value for k in made[0].value.keywords if k.arg == "sampler"), None)
    if isinstance(receiver, ast.Attribute):
        variable = draft.variable(receiver.value, item.frame) if receiver.attr == "sampler" else None
        same = variable is not None and variable is loader
    else:
        variable = draft.variable(receiver, item.frame)
        same = variable is not None and isinstance(sampler, ast.Name)
        same = (
            same
            and variable is not None
            and (variable.scope, variable.name) == (loader.scope, ast.unparse(sampler or receiver))
        )
    return same and _is_torchs(draft, sampler, loader)


def _is_surely_torchs(draft: Draft) -> bool:
    """Whether the loader of the loop is one DataLoader wherever it comes from, with a sampler of torch's own."""
    assert draft.nest.batches is not None
    made = constructions(draft, draft.nest.batches.base, draft.nest.inner)
    if len(made) != 1 or made[0].full_name not in DATA_LOADERS:
        return False
    sampler = made[0].argument("sampler")
    parts = sources(sampler) if sampler is not None else []
    return len(parts) == 1 and is_torchs(parts[0])


def _is_torchs(draft: Draft, sampler: ast.expr | None, loader: Variable) -> bool:
    """Whether the sampler is surely torch's own, whose ``set_epoch`` only keeps the number."""
    if isinstance(sampler, ast.Call):
        return draft.roles.full_name(sampler.func) in SAMPLERS
    if not isinstance(sampler, ast.Name):
        return False
    bindings = draft.roles.bindings((loader.scope, sampler.id))
    return len(bindings) == 1 and _is_made_by(draft, bindings[0], SAMPLERS)


def _is_made_by(draft: Draft, binding: Binding, classes: set[str]) -> bool:
    value = binding.value
    return binding.index is None and isinstance(value, ast.Call) and draft.roles.full_name(value.func) in classes
