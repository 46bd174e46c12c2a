"""A `break` before a batch is used skips the rest of the epoch: ``on_train_batch_start`` gives -1 then.

for i, (x, y) in enumerate(loader):
    if i == args.steps:             →   def on_train_batch_start(self, batch, batch_idx):
        break                               if batch_idx == self.hparams.steps:
    ...                                         return -1

The raw loop has asked its loader for that batch as well, so that the loader is used alike. Lightning does not validate at the end of
such an epoch; an evaluation stays where it is.
Source: https://lightning.ai/docs/pytorch/stable/common/lightning_module.html#on-train-batch-start
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.loops import loop_names
from ..recover.names import flow, free_names
from ..recover.state_names import is_attribute
from .afterwards import statements_after
from .draft import Draft
from .handlers import read_in_handlers
from .steps import open_controls


def place_leaving(draft: Draft) -> None:
    """Take the `break` statements at a batch's top out of it, when nothing sees a difference."""
    nest, epoch = draft.nest, draft.epoch
    if nest.batches is None or nest.epochs is None:
        return
    end = 0
    for index, item in enumerate(epoch.batch):
        if _only_leaves(draft, item):
            end = index + 1
        elif not _is_quiet(draft, item):
            break
    if end and not _is_batch_seen_outside(draft):
        epoch.leaving, epoch.batch = epoch.batch[:end], epoch.batch[end:]


def _only_leaves(draft: Draft, item: Item) -> bool:
    """Whether the statement leaves the loop or leaves everything as it is."""
    node = item.node
    if item.kind != "statement" or not isinstance(node, ast.If) or node.orelse or node in draft.removals:
        return False
    if not isinstance(node.body[-1], ast.Break) or [type(c) for c in open_controls(draft, node)] != [ast.Break]:
        return False
    return not draft.effects_of(item).model and not draft.variables.use(item).written


def _is_quiet(draft: Draft, item: Item) -> bool:
    """Whether the statement, a count for example, may stand in another hook than the step: the batch stays as it is."""
    if item.kind != "statement" or not isinstance(item.node, ast.Assign | ast.AugAssign | ast.Expr):
        return False
    assert draft.nest.batches is not None
    effects, given = draft.effects_of(item), loop_names(draft.nest.batches)
    if effects.model or effects.rng or effects.gradients or effects.optimizer or effects.mode:
        return False
    written = draft.variables.use(item).written
    return not any(draft.variables.of(draft.nest.inner, name) in written for name in given)


def _is_batch_seen_outside(draft: Draft) -> bool:
    """Whether a name that the batch loop binds is read elsewhere: the raw one holds the batch that was not used."""
    nest = draft.nest
    assert nest.batches is not None
    names = set(loop_names(nest.batches))
    if any(is_attribute(n) for n in names):
        return True
    around = draft.variables.sequence([*draft.epoch.after, *draft.epoch.before])
    if {draft.variables.of(nest.inner, n) for n in names} & around.exposed:
        return True
    if any(names & free_names(function) for function in draft.source.functions):
        return True
    seen = flow(statements_after(draft)).exposed | read_in_handlers(draft)
    return nest.inner is nest.entry and bool(names & seen)
