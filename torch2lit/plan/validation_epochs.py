"""In which epochs the Trainer validates: in all, in every k-th, or where a condition of the script holds.

if (epoch + 1) % 5 == 0:        Trainer(check_val_every_n_epoch=5)
if not args.fast:               Trainer(limit_val_batches=0 if args.fast else 1.0)
if epoch % 5 == 0:              def on_train_epoch_start(self):
                                    self.trainer.limit_val_batches = 1.0 if self.current_epoch % 5 == 0 else 0
"""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

from ..recover.items import Guard, Item
from ..recover.loops import loop_names
from ..recover.phases import Validation
from ..recover.syntax import walk
from .breaks import limited_by_trainer
from .draft import BATCH_END, Draft
from .entry_names import at_entry, epoch_counters, epoch_start, written_in_loop
from .homes.same_test import is_steady
from .homes.unbound import surely_bound
from .steps import controls

EVERY_N = "check_val_every_n_epoch"
LIMIT = "limit_val_batches"


def is_every_epoch(draft: Draft, found: Validation) -> bool:
    """Whether the condition is ``if (epoch + n) % 1 == 0``, which holds for whole numbers always."""
    if (counted := _counted(draft, found)) is None or epoch_start(draft) is None:
        return False
    every = counted[1]
    return isinstance(every, ast.Constant) and type(every.value) is int and every.value == 1


def epochs_obstacle(draft: Draft, found: Validation, limited: bool) -> str:
    """Why Lightning cannot validate in just the epochs in which the condition holds; "" when it can."""
    if found.every is None:
        return ""
    test = ast.unparse(found.every)
    counted = bool(every_n(draft, found))
    if not counted and limited:
        return f"it runs over the first batches only, and the Trainer has one limit for that and for epochs without it: `if {test}`"
    if not counted and (reason := _not_told(draft, found)):
        return reason
    if any(map(_leaves, found.otherwise)):
        return "its other arm leaves the epoch"
    several = draft.group is not None or draft.options.several_processes
    if several and found.otherwise:
        return f"several processes would decide about `if {test}` each for itself"
    if several and (not counted or found.leading or any(map(_leaves, found.trailing))):
        return f"several processes would decide about `if {test}` each for itself"
    if found.leading and not runs_last_batch(draft):
        return "what stands before it runs in every epoch, of which the last batch may be left out"
    return ""


def _leaves(item: Item) -> bool:
    return item.kind == "statement" and bool(controls(item.node))


def runs_last_batch(draft: Draft) -> bool:
    """Whether every epoch runs to the end of its last batch's hooks; what limits the batches says which is the last."""
    told = limited_by_trainer(draft)
    last = draft.hooks.get(BATCH_END, [])
    left = any(_leaves_batch(item, told, item in last) for item in draft.epoch.batch)
    return not left and not draft.epoch.leaving


def _leaves_batch(item: Item, told: set[int], in_last_hook: bool) -> bool:
    """Whether an item leaves the batches, or the hook behind them: a batch that `continue` leaves in its step still comes to that hook."""
    found = [c for c in controls(item.node) if id(c) not in told] if item.kind == "statement" else []
    return any(in_last_hook or not isinstance(c, ast.Continue) for c in found)


def every_n(draft: Draft, found: Validation) -> str:
    """The interval of ``if (epoch + 1) % k == 0``, as source at the entry; "" for any other condition."""
    counted, start = _counted(draft, found), epoch_start(draft)
    if counted is None or start is None or start + counted[0] != 1:
        return ""
    return at_entry(draft, counted[1], draft.nest.entry)


def tell_epochs(draft: Draft, found: Validation) -> Item | None:
    """Tell the Trainer when to validate; the item that does so at the start of every epoch where it takes one."""
    if found.every is None:
        return None
    if every := every_n(draft, found):
        draft.trainer = draft.trainer.set(EVERY_N, every)
        return None
    assert found.asked is not None and found.block is not None
    if text := at_entry(draft, found.every, found.asked):
        if found.unless is found.block.test and not isinstance(found.unless, ast.UnaryOp):
            draft.trainer = draft.trainer.set(LIMIT, f"0 if {at_entry(draft, found.unless, found.asked)} else 1.0")
            return None
        negated = isinstance(found.every, ast.UnaryOp) and isinstance(found.every.op, ast.Not)
        if negated and isinstance(found.every, ast.UnaryOp):
            text = at_entry(draft, found.every.operand, found.asked)
        draft.trainer = draft.trainer.set(LIMIT, f"0 if {text} else 1.0" if negated else f"1.0 if {text} else 0")
        return None
    return Item(found.block, found.asked, "validates", value=found.every)


def guard_of(draft: Draft, found: Validation) -> Guard | None:
    """The guard of what belongs to the condition's block and runs where epochs without a validation get as well."""
    if found.every is None:
        return None
    return Guard(found.every, found.asked, found.block, bool(every_n(draft, found)))


def otherwise(draft: Draft, found: Validation) -> list[Item]:
    """What runs in the epochs, or behind the batches, that no validation follows."""
    guard = Guard(found.unless, found.asked, found.block)
    return [replace(i, guard=guard) for i in found.otherwise]


def _not_told(draft: Draft, found: Validation) -> str:
    """Why the condition may say at an epoch's start something else than after its batches, or a loader may be missing then; "" otherwise."""
    assert found.every is not None and found.asked is not None
    counters = epoch_counters(draft)
    written = written_in_loop(draft)
    if counters & written:
        return "the loop changes the number of its epoch, which Lightning counts itself"
    names = [n for n in walk(found.every) if isinstance(n, ast.Name)]
    counting = {n.id for n in names if draft.variables.of(found.asked, n.id) in counters}
    if not is_steady(draft, _with_numbers(found.every, counting), found.asked, written):
        test = ast.unparse(found.every)
        return f"`if {test}` may change while the epoch trains, and the Trainer has to know when the epoch starts"
    return "" if loaders_are_there(draft, found) else "its loader may not be there where the Trainer is made"


def loaders_are_there(draft: Draft, found: Validation) -> bool:
    """Whether the loaders of an evaluation that may not run surely have their values where the Trainer is made."""
    loaders = [draft.variable(one.loop.base, one.frame) for one in found.all if not one.made]
    return all(v is not None and surely_bound(draft, v) for v in loaders)


def _with_numbers(test: ast.expr, names: set[str]) -> ast.expr:
    class _Numbers(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return ast.Constant(0) if node.id in names else node

    changed = _Numbers().visit(copy.deepcopy(test))
    assert isinstance(changed, ast.expr)
    return changed


def _counted(draft: Draft, found: Validation) -> tuple[int, ast.expr] | None:
    """The ``n`` and ``k`` of ``if (epoch + n) % k == 0``; None for any other condition."""
    test = found.every
    modulo: ast.expr | None = None
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
            modulo = left
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            modulo = operand
    if not isinstance(modulo, ast.BinOp) or not isinstance(modulo.op, ast.Mod):
        return None
    offset = 0
    counter = modulo.left
    if isinstance(counter, ast.BinOp) and isinstance(counter.op, ast.Add) and isinstance(counter.right, ast.Constant):
        if not isinstance(counter.right.value, int):
            return None
        offset, counter = counter.right.value, counter.left
    assert draft.nest.epochs is not None
    names = loop_names(draft.nest.epochs)
    if not isinstance(counter, ast.Name) or len(names) != 1 or found.asked is None:
        return None
    entry = draft.variables.of(draft.nest.entry, names[0])
    if entry is None or entry in written_in_loop(draft) or draft.variables.of(found.asked, counter.id) is not entry:
        return None
    return offset, modulo.right
