"""Gradients summed up over several batches: the Trainer's ``accumulate_grad_batches``, where it steps on exactly the same ones.

    loss = criterion(model(x), y) / n                          loss = criterion(model(x), y)
    loss.backward()                                            return loss
    if (i + 1) % n == 0 or (i + 1) == len(loader):      →
        optimizer.step()                                       Trainer(accumulate_grad_batches=n)
        optimizer.zero_grad()

Lightning divides the loss by n and steps on every n-th batch and on the last one of an epoch. A script that does not divide, or
carries a rest into the next epoch, keeps its own lines and optimizes by hand.
Source: https://lightning.ai/docs/pytorch/stable/advanced/training_tricks.html#accumulate-gradients
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libcst as cst

from ..program import Claim
from ..recover.items import Item, names_in
from ..recover.loops import Iterable
from ..recover.syntax import dotted, walk
from ..recover.variables import Variable
from .afterwards import statements_after
from .draft import BEFORE_STEP, Draft, Removal
from .entry_names import at_entry
from .optimizers import step_can_be_claimed
from .scaled import loss_of
from .steps import Obstacle, automatic_obstacle, controls, find_step, is_scheduler_step, place_automatic
from .zeroing import only_zeroes

_CODEMOD = "accumulate_gradients"
_TARGET = "Trainer(accumulate_grad_batches=...)"


@dataclass(frozen=True, slots=True)
class Window:
    """The `if` that ends a window of batches, and the batch's items as if its body stood in the batch itself."""

    guard: ast.If
    length: ast.expr
    text: str
    items: list[Item]
    clips: list[Item]
    schedule: Item | None


def try_accumulated(draft: Draft) -> Draft | None:
    """Automatic optimization with accumulated gradients; None when it is not the same training."""
    window = _find_window(draft)
    if window is None:
        return None
    draft = draft.fork()
    draft.epoch.batch, draft.window = window.items, window.guard
    if not _place(draft, window):
        return None
    draft.trainer = draft.trainer.set("accumulate_grad_batches", window.text)
    draft.removals[window.guard] = Removal(_TARGET, _CODEMOD, "the Trainer steps on the same batches")
    draft.idioms.append(_CODEMOD)
    return draft


def _place(draft: Draft, window: Window) -> bool:
    step = find_step(draft)
    if isinstance(step, Obstacle) or automatic_obstacle(draft, step) is not None:
        return False
    if not _undivide(draft, window, step.before, step.backward, claim=False):
        return False
    if place_automatic(draft, step) is not None:
        return False
    if [i for i in draft.hooks.get(BEFORE_STEP, []) if i not in window.clips]:
        return False  # it would run on the window's last batch only
    if window.schedule is not None and not step_can_be_claimed(draft, window.schedule):
        return False
    return _undivide(draft, window, step.before, step.backward, claim=True)


# ---- the window


def _find_window(draft: Draft) -> Window | None:
    nest = draft.nest
    loop = nest.batches
    if loop is None or loop.kind is not Iterable.LOADER or len(nest.steps) != 1 or len(nest.backwards) != 1:
        return None
    batch = draft.epoch.batch
    if any(controls(i.node) for i in batch if i.kind == "statement") or draft.epoch.leaving:
        return None
    for place, item in enumerate(batch):
        guard = item.node
        if item.kind != "statement" or not isinstance(guard, ast.If) or guard.orelse:
            continue
        body = [s for s in guard.body if s not in draft.removals]
        at_step = _index(body, nest.steps[0])
        if at_step is None or item.frame is not nest.inner:
            continue
        if (length := _length(draft, guard.test)) is None or not (text := at_entry(draft, length, item.frame)):
            return None
        inner = [Item(s, item.frame, parent=guard) for s in body]
        clips, rest = inner[:at_step], inner[at_step + 1 :]
        schedules = [i for i in rest if is_scheduler_step(draft, i)]
        zeroed = [i for i in rest if only_zeroes(draft, i)]
        if not all(_is_clipping(i.node) for i in clips) or len(zeroed) != 1 or len(schedules) > 1:
            return None
        if len(rest) != len(schedules) + len(zeroed):
            return None
        items = [*batch[:place], *inner, *batch[place + 1 :]]
        return Window(guard, length, text, items, clips, schedules[0] if schedules else None)
    return None


def _index(body: list[ast.stmt], call: ast.Call) -> int | None:
    return next((n for n, s in enumerate(body) if isinstance(s, ast.Expr) and s.value is call), None)


def _is_clipping(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and dotted(node.value.func).rpartition(".")[2] in ("clip_grad_norm_", "clip_grad_value_")
    )


def _length(draft: Draft, test: ast.expr) -> ast.expr | None:
    """The ``n`` of ``(i + 1) % n == 0 or i + 1 == len(loader)``; None for any other condition."""
    loop = draft.nest.batches
    assert loop is not None
    match test:
        case ast.BoolOp(op=ast.Or(), values=[one, other]):
            pass
        case _:
            return None
    first = 0 if loop.first is None else _number(loop.first)
    index = draft.variables.of(draft.nest.inner, loop.index) if loop.index else None
    if (
        index is None
        or first is None
        or first not in (0, 1)
        or index in draft.variables.sequence(draft.epoch.batch).written
    ):
        return None
    for full, last in ((one, other), (other, one)):
        length = _every(draft, full, index, 1 - first)
        if length is not None and _is_last(draft, last, index, first):
            return length
    return None


def _number(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


def _every(draft: Draft, test: ast.expr, index: Variable, more: int) -> ast.expr | None:
    match test:
        case ast.Compare(left=ast.BinOp(left=left, op=ast.Mod(), right=n), ops=[ast.Eq()], comparators=[zero]):
            holds = isinstance(zero, ast.Constant) and zero.value == 0
        case ast.UnaryOp(op=ast.Not(), operand=ast.BinOp(left=left, op=ast.Mod(), right=n)):
            holds = True
        case _:
            return None
    return n if holds and _counts(draft, left, index) == more else None


def _is_last(draft: Draft, test: ast.expr, index: Variable, first: int) -> bool:
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            pass
        case _:
            return False
    for one, other in ((left, right), (right, left)):
        more = _counts(draft, one, index)
        if more is not None and _counts_length(draft, other) == more + first - 1:
            return True
    return False


def _counts(draft: Draft, node: ast.expr, index: Variable) -> int | None:
    """0 for the batch's index, 1 for the index plus one; None for anything else."""
    match node:
        case ast.Name():
            return 0 if draft.variable(node, draft.nest.inner) is index else None
        case ast.BinOp(left=ast.Name() as name, op=ast.Add(), right=ast.Constant(value=1)):
            return 1 if draft.variable(name, draft.nest.inner) is index else None
        case ast.BinOp(left=ast.Constant(value=1), op=ast.Add(), right=ast.Name() as name):
            return 1 if draft.variable(name, draft.nest.inner) is index else None
    return None


def _counts_length(draft: Draft, node: ast.expr) -> int | None:
    """0 for the length of the batch loop's loader, -1 for one less; None for anything else."""
    loop = draft.nest.batches
    assert loop is not None
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[loader], keywords=[]):
            return 0 if ast.unparse(loader) == ast.unparse(loop.base) else None
        case ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=1)):
            return -1 if _counts_length(draft, left) == 0 else None
    return None


# ---- the division


def _undivide(draft: Draft, window: Window, before: list[Item], backward: Item, *, claim: bool) -> bool:
    """Take the division by the window's length out of what is returned. False when the loss is not divided by it."""
    match loss_of(draft, draft.nest.backwards[0]):
        case ast.BinOp(left=whole, op=ast.Div(), right=n) if _same(n, window.length):
            if claim:
                draft.returned = whole
            return True
        case ast.Name() as name:
            loss = draft.variable(name, backward.frame)
        case _:
            return False
    writers = [i for i in before if loss in draft.variables.use(i).written]
    if loss is None or not writers:
        return False
    division = writers[-1]
    if division.kind != "statement" or division.frame is not backward.frame:
        return False
    match division.node:
        case ast.Assign(targets=[ast.Name(id=target)], value=ast.BinOp(left=whole, op=ast.Div(), right=n)):
            in_place = False
        case ast.AugAssign(target=ast.Name(id=target), op=ast.Div(), value=n):
            whole, in_place = ast.Name(target, ast.Load()), True
        case _:
            return False
    if not _same(n, window.length) or (in_place and not _made_just_before(draft, before, division, loss)):
        return False
    if claim:
        _claim_division(draft, division, loss, whole, backward)
    return True


def _same(one: ast.expr, other: ast.expr) -> bool:
    return ast.unparse(one) == ast.unparse(other)


def _made_just_before(draft: Draft, before: list[Item], division: Item, loss: Variable) -> bool:
    """Whether nothing else can hold the tensor that is divided in place."""
    place = before.index(division)
    made = before[place - 1].node if place else None
    match made:
        case ast.Assign(targets=[ast.Name()], value=ast.Call() | ast.BinOp()):
            return loss in draft.variables.use(before[place - 1]).written
    return False


def _claim_division(draft: Draft, division: Item, loss: Variable, whole: ast.expr, backward: Item) -> None:
    reason = "Lightning divides the returned loss by the number of batches"
    read = _read_elsewhere(draft, division, loss, backward)
    if not read and isinstance(whole, ast.Name) and draft.variable(whole, division.frame) is loss:
        draft.removals[division.node] = Removal(_TARGET, _CODEMOD, reason)
        return
    fresh = ""
    if read:
        fresh = "batch_loss"
        while fresh in draft.source.names:
            fresh += "_"
        draft.returned_name, draft.returned_at = fresh, None
    draft.claims[division.node] = Claim(_TARGET, reason, _without_division(fresh))
    draft.claimed_by[division.node] = _CODEMOD


def _without_division(fresh: str) -> Callable[[Any], Any]:
    """``loss = whole / n`` as ``loss = whole``; with a fresh name as two statements, the first of which keeps the whole."""

    def replace(node: Any) -> Any:
        if isinstance(node, cst.AugAssign):
            target, whole, n = node.target, node.target, node.value
        else:
            target, whole, n = node.targets[0].target, node.value.left, node.value.right
        if not fresh:
            return node.with_changes(value=whole)
        divided = cst.BinaryOperation(cst.Name(fresh), cst.Divide(), n)
        kept = cst.Assign([cst.AssignTarget(cst.Name(fresh))], whole)
        return [kept, cst.Assign([cst.AssignTarget(target)], divided)]

    return replace


def _read_elsewhere(draft: Draft, division: Item, loss: Variable, backward: Item) -> bool:
    """Whether anything but backward reads the divided loss."""
    epoch = draft.epoch
    later = epoch.batch[epoch.batch.index(division) + 1 :]
    for item in [*later, *epoch.after, *epoch.before]:
        if item is not backward and any(draft.variables.of(frame, n.id) is loss for n, frame in names_in(item)):
            return True
    return any(isinstance(n, ast.Name) and n.id == loss.name for s in statements_after(draft) for n in walk(s))
