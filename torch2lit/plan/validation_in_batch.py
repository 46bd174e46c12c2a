"""An evaluation that follows some batches of an epoch, as Lightning's validation.

for step, batch in enumerate(loader):           def on_train_batch_end(self, outputs, batch, batch_idx):
    ...                                             self.trainer.limit_val_batches = 1.0 if batch_idx % 100 == 0 else 0
    optimizer.step()                      →
    if step % 100 == 0:                         def validation_step(self, batch, batch_idx): ...
        evaluate(model, val_loader)
                                                Trainer(val_check_interval=1)

Lightning looks behind every batch whether to validate, and does not where the limit is 0. Its own interval begins to count with the first
batch, so that it has no word for the batches 0, 100, 200.
Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html#val-check-interval
"""

from __future__ import annotations

import ast

from ..recover.first_batch import first_batch_at
from ..recover.items import Item
from ..recover.phases import Validation, validation_at
from .behind_evaluation import may_come_first, plain_ending
from .breaks import left_by_break, validation_break
from .draft import BATCH_END, TRAINING_STEP, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft
from .evaluation_loaders import tell_made
from .late_validation import starts_late
from .limited_validation import limit_of, tell_limit
from .looks import Looks
from .may_run import may_run
from .several_loaders import join_following, unite
from .steps import open_controls
from .validation import evaluation_obstacle, unite_own
from .validation_epochs import LIMIT, loaders_are_there, otherwise
from .validation_modes import mirror_modes

EVERY_BATCH = "val_check_interval"
_COPIES = {"copy", "deepcopy", "clone", "load_state_dict"}


def place_in_batch(draft: Draft) -> None:
    """Let the evaluation with which some batches end be Lightning's validation, unless epochs end with one."""
    hook = BATCH_END if draft.hooks.get(BATCH_END) else TRAINING_STEP
    if draft.validation is not None or draft.module_that_trains or (draft.automatic and hook != BATCH_END):
        return
    items = draft.hooks[hook]
    behind = plain_ending(draft, items)
    items = items[: len(items) - len(behind)]
    last = items[-1] if items and items[-1].kind == "statement" else None
    found = (validation_at(draft.source, draft.roles, last) or first_batch_at(draft.roles, last)) if last else None
    if found is None or last is None or found.every is None or found.block is not last.node:
        return
    found.in_batch = True
    join_following(draft, found)
    united = unite(draft, found) if found.others else unite_own(draft, found)
    if reason := _obstacle(draft, found, behind):
        draft.united = [i for i in draft.united if i not in united]
        draft.note("validation-kept", found.loop.node, f"the evaluation loop stays as it is: {reason}")
        return
    _place(draft, found, hook, behind)


def _obstacle(draft: Draft, found: Validation, behind: list[Item]) -> str:
    """Why the evaluation, ``behind`` which a batch does more, cannot be Lightning's validation; "" when it can."""
    assert draft.nest.epochs is not None
    if draft.group is not None or draft.options.several_processes:
        return "it does not end an epoch, and several processes would decide about it each for itself"
    if draft.mixed is not None or draft.window is not None:
        return "it does not end an epoch, and the Trainer casts or accumulates"
    own = found.trained(draft.epoch.batch)
    if left_by_break(draft, behind) or any(_leaves(draft, i) for i in [*draft.epoch.before, *own]):
        return "batches may be left before it"
    if not may_come_first(draft, found, behind):
        return "what follows it in the batch needs what it gives, or the other way round"
    if any(_leaves(draft, i) or _acts(draft, i) for i in found.trailing):
        return "what belongs to it does more than to tell its results"
    if found.otherwise and not (found.every and found.asked and Looks(draft).only(found.every, found.asked)):
        return "its condition does more than to look"
    if found.once is not None and any(draft.effects_of(i).optimizer for i in found.body):
        return "it uses the optimizer"
    if any(_leaves(draft, i) for i in found.otherwise):
        return "its other arm leaves the batch"
    if validation_break(draft, found.body, found.loop) is not None:
        return "`break` leaves the loop"
    if reason := evaluation_obstacle(draft, found):
        return reason
    if not loaders_are_there(draft, found):
        return "its loader may not be there where the Trainer is made"
    return ""


def _leaves(draft: Draft, item: Item) -> bool:
    return item.kind == "statement" and bool(open_controls(draft, item.node))


def _acts(draft: Draft, item: Item) -> bool:
    effects = draft.effects_of(item)
    return effects.gradients or effects.rng or (effects.optimizer and not _only_saves(draft, item))


def _only_saves(draft: Draft, item: Item) -> bool:
    """Whether an item saves the state of an optimizer: one that it copies would be of no use to train on with, for Lightning validates
    in inference mode.
    """
    called = (n.func for n in may_run(draft.source, [item.node]) if isinstance(n, ast.Call))
    copies = any(getattr(f, "attr", getattr(f, "id", "")) in _COPIES for f in called)
    return item.kind == "statement" and not copies and draft.effects.only_saves_optimizer(item.node, item.frame.scope)


def _place(draft: Draft, found: Validation, hook: str, behind: list[Item]) -> None:
    assert found.block is not None and found.asked is not None and found.every is not None
    draft.validation = found
    found.late = starts_late(draft, found)
    tell_made(draft, found)
    tell_limit(draft, found)
    own = [*found.before, *found.body, *found.trailing]
    found.before = draft.without_unread_constants(found.before, own)
    draft.hooks[hook] = draft.hooks[hook][: -1 - len(behind)]
    limit = limit_of(draft, found)
    if found.once is not None:
        got = ast.unparse(found.once.value)
        why = "raises StopIteration if there are no data at all: Lightning does not validate then, and goes on"
        draft.note("no-data-ends-epoch", found.once, f"`{got}` {why}")
        limit = ast.Constant(1), found.asked
        draft.trainer = draft.trainer.set(LIMIT, "1")
    asked = Item(found.block, found.asked, "validates", value=found.every, limit=limit)
    draft.hooks[BATCH_END] = [*draft.hooks.get(BATCH_END, []), asked, *otherwise(draft, found), *behind]
    draft.hooks[VALIDATION_START] = list(found.before)
    draft.hooks[VALIDATION_STEP] = list(found.body)
    draft.hooks[VALIDATION_END] = list(found.trailing)
    draft.trainer = draft.trainer.set(EVERY_BATCH, "1")
    mirror_modes(draft, found, draft.epoch.after)
