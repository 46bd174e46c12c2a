"""A schedule that waits for a plateau, stepped at the end of every epoch: the Trainer steps it, by the number that is logged for it in double.

scheduler.step(val_loss)    →    self.log("val_loss", torch.tensor(self.val_loss, dtype=torch.float64))
                                 return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"}}

The Trainer does that when `on_train_epoch_end` is over. So nothing behind the script's own call may see the rates, and no number of an earlier epoch may be the one that is logged.
Lightning's checkpoints are written before: a schedule that they hold would miss a step when the training goes on from one, so with them the script steps it itself.
"""

from __future__ import annotations

import ast

from ..feature import Watch
from ..program import Claim
from ..recover.items import Item, names_in
from ..recover.variables import Variable
from .draft import EPOCH_END, VALIDATION_END, Draft, Watched
from .settled_numbers import SettledNumbers
from .steps import open_controls

WORD = "{plateau}"
"""What stands for the name of the number until it is known."""
_CLASS = "torch.optim.lr_scheduler.ReduceLROnPlateau"


def claim_plateau(
    draft: Draft, held: list[Variable], optimizers: list[Variable], moved: list[ast.stmt]
) -> Variable | None:
    """The one schedule that the module makes and the Trainer may step; its own statement is gone then."""
    if len(held) != 1 or len(optimizers) != 1 or not _asked(draft):
        return None
    schedule = held[0]
    if not any(_makes(draft, s, schedule, optimizers[0]) for s in moved):
        return None
    places = [(hook, item) for hook in draft.hooks for item in draft.hooks[hook] if _names(draft, item, schedule)]
    if len(places) != 1:
        return None
    hook, step = places[0]
    value = _value(draft, step, schedule)
    if value is None or not _may_wait(draft, hook, step):
        return None
    draft.claims[step.node] = Claim(
        "configure_optimizers",
        "the Trainer steps the schedule when the epoch is over",
        lambda _node: [],
        unread=(step.node.value.func.value,),  # type: ignore[attr-defined]
        anywhere=True,
    )
    draft.claimed_by[step.node] = "scheduler"
    draft.watched.append(Watched(Watch("plateau", value, step.node), step, hook, WORD))
    return schedule


def _asked(draft: Draft) -> bool:
    """Whether Lightning steps at all, for one process, and no checkpoint of its own misses the step."""
    options, nest = draft.options, draft.nest
    several = draft.group is not None or options.several_processes
    plain = draft.automatic and nest.epochs is not None and nest.batches is not None and not draft.epoch.leaving
    return plain and not several and not draft.resumed and options.asked("checkpoints") != "lightning"


def _makes(draft: Draft, statement: ast.stmt, schedule: Variable, optimizer: Variable) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=function, args=[ast.Name() as first, *_])):
            own = draft.roles.full_name(function) == _CLASS and name == schedule.name
            return own and draft.variable(first, draft.nest.entry) is optimizer
    return False


def _names(draft: Draft, item: Item, variable: Variable) -> bool:
    return any(draft.variables.of(frame, n.id) is variable for n, frame in names_in(item))


def _value(draft: Draft, step: Item, schedule: Variable) -> ast.Name | None:
    """The number that the step is given, where the item is that and runs in every epoch."""
    match step.node:
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name() as owner, attr="step"), args=[ast.Name() as value], keywords=[]
            )
        ):
            if step.kind != "statement" or step.guard is not None or step.node in draft.claims:
                return None
            own = draft.variables.of(step.frame, owner.id) is schedule
            return value if own and SettledNumbers(draft).surely(value, step.frame.scope) else None
    return None


def _may_wait(draft: Draft, hook: str, step: Item) -> bool:
    """Whether nothing leaves the epoch before the step, or sees the rates behind it."""
    found = draft.validation
    if hook == VALIDATION_END and (found is None or found.every is not None or found.in_batch):
        return False
    if hook not in (VALIDATION_END, EPOCH_END):
        return False
    order = [*draft.hooks.get(VALIDATION_END, []), *draft.hooks.get(EPOCH_END, [])]
    place = order.index(step)
    if any(i.kind == "statement" and open_controls(draft, i.node) for i in order):
        return False
    effects = [draft.effects_of(i) for i in order[place + 1 :]]
    return not any(e.optimizer or e.learning_rate for e in effects)
