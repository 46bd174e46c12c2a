"""The mechanisms of a Trainer, best first: each is tried on a fork of the draft, and gives it back or says what stands in its way.

automatic ──► manual        with a hook call per batch, or per turn of a loop without batches (iterations)
    └───────────┴──► epochs one call per epoch, which holds the raw batch loop
"""

from __future__ import annotations

import ast
import contextlib

from ..program import Mechanism
from ..recover.items import Item, callee_items, items_of
from ..recover.loops import Iterable
from ..recover.phases import Epoch, NotStraight, check_call_first, take_apart, without_return
from ..recover.syntax import dotted, walk_scope
from .accumulation import try_accumulated
from .breaks import claim_breaks, left_by_break
from .draft import BATCH_START, EPOCH_START, TRAINING_STEP, Draft
from .epoch_values import runs_over_values, sequence_of
from .last_returns import leaves_only_loop
from .leaving import place_leaving
from .manual import place_manual
from .mixed_precision import keeps_precision, note_mixed_kept, try_mixed, unwrap_validation
from .own_bars import set_aside_bar
from .steps import (
    Obstacle,
    automatic_obstacle,
    controls,
    find_step,
    place_automatic,
)
from .train_data import drop_unread_parameters, find_train_data
from .turns import place_stop
from .validation import place_after
from .validation_in_batch import place_in_batch


def first_mechanism(draft: Draft) -> Draft:
    """The draft as the first mechanism that holds fills it in. Raises Refused when none does."""
    planned = _try_batches(draft.fork())
    if isinstance(planned, Obstacle):
        planned = _try_epochs(draft.fork(), planned)
    return planned


def _try_batches(draft: Draft) -> Draft | Obstacle:
    """Plan with one hook call per batch; an obstacle when the batch loop has to stay as it is."""
    nest = draft.nest
    _check_loops(draft)
    _check_entry(draft)
    try:
        draft.epoch = take_apart(draft.source, draft.roles, nest)
    except NotStraight as problem:
        return draft.blocked(Mechanism.MANUAL, Obstacle(_line(problem.line), problem.reason))
    _unite(draft, draft.epoch)
    if nest.batches is not None:
        found = find_train_data(draft)
        if isinstance(found, Obstacle):
            return draft.blocked(Mechanism.MANUAL, found)
        draft.train_data = found
        drop_unread_parameters(draft)
        if (obstacle := _epoch_obstacle(draft)) is not None:
            return draft.blocked(Mechanism.MANUAL, obstacle)
    claim_breaks(draft)
    if draft.train_data is not None and draft.train_data.asks_at_end and left_by_break(draft):
        reason = "a `break` leaves a loader that has a random generator of its own"
        return draft.blocked(Mechanism.MANUAL, Obstacle(nest.outermost, reason))
    place_leaving(draft)
    planned = _try_automatic(draft)
    if nest.batches is None:
        draft.note(
            "one-step-per-turn",
            nest.outermost,
            "every turn of the loop is one step: the turns are the batches of one epoch",
        )
    if isinstance(planned, Obstacle):
        planned = _try_manual(draft.fork(), draft.blocked(Mechanism.AUTOMATIC, planned))
    return planned if isinstance(planned, Obstacle) else _around_batches(planned)


def _around_batches(draft: Draft) -> Draft:
    """With what stands before and after the batches, too."""
    nest = draft.nest
    if nest.batches is None:
        draft.mechanism = Mechanism.ITERATIONS
    elif nest.epochs is not None:
        draft.hooks[EPOCH_START] = list(draft.epoch.before)
        draft.hooks[BATCH_START] = draft.epoch.leaving
        place_after(draft)
        place_in_batch(draft)
        unwrap_validation(draft)
    place_stop(draft)
    return draft


def _try_automatic(draft: Draft) -> Draft | Obstacle:
    """Automatic optimization, in the Trainer's precision where that is the script's."""
    if module := draft.module_that_trains:
        why = f"class `{module}` is a module, whose attributes may be its own parameters"
        return Obstacle(draft.nest.outermost, why)
    if (mixed := try_mixed(draft)) is not None:
        planned = try_accumulated(mixed) or _try_plain(mixed.fork())
        if isinstance(planned, Draft) and keeps_precision(planned):
            return planned
        if isinstance(planned, Obstacle):
            note_mixed_kept(mixed)
    return try_accumulated(draft) or _try_plain(draft.fork())


def _try_plain(draft: Draft) -> Draft | Obstacle:
    """Automatic optimization with one step per batch."""
    step = find_step(draft)
    if isinstance(step, Obstacle):
        return step
    return automatic_obstacle(draft, step) or place_automatic(draft, step) or draft


def _try_manual(draft: Draft, obstacle: Obstacle) -> Draft | Obstacle:
    """Everything in its order, with `manual_backward`; ``obstacle`` stands in the way of automatic optimization."""
    draft.automatic = False
    if (left := place_manual(draft)) is not None:
        if draft.nest.batches is None:
            raise draft.refuse("return-in-loop", left.node, left.reason)
        return draft.blocked(Mechanism.MANUAL, left)
    draft.mechanism = Mechanism.MANUAL
    draft.note("manual-optimization", obstacle.node, f"kept as manual optimization: {obstacle.reason}")
    return draft


def _try_epochs(draft: Draft, obstacle: Obstacle) -> Draft:
    """One `training_step` per epoch that holds the raw loop as it stands. Raises Refused when it cannot."""
    nest = draft.nest
    if nest.batches is None:
        raise draft.refuse("step-not-reached", obstacle.node, obstacle.reason)
    draft.mechanism = Mechanism.EPOCHS
    draft.automatic = False
    draft.findings = [f for f in draft.findings if f.slug not in _OF_BATCHES]
    with contextlib.suppress(NotStraight):
        draft.epoch = take_apart(draft.source, draft.roles, nest)
    items = _whole_epoch(draft, obstacle)
    for item in items:
        if item.kind == "statement":
            for control in controls(item.node):
                if isinstance(control, ast.Return) and not leaves_only_loop(draft, control):
                    raise draft.refuse("return-in-loop", control, "`return` leaves the function from inside the loop")
    draft.hooks[TRAINING_STEP] = items
    place_stop(draft)
    draft.note(
        "epoch-kept",
        obstacle.node,
        f"the batch loop stays whole, one training_step per epoch: {obstacle.reason}",
    )
    return draft


_OF_BATCHES = (
    "manual-optimization",
    "precision-kept",
    "validation-kept",
    "one-step-per-turn",
    "loader-changed-at-epoch-start",
)
"""Findings that say something only while Lightning runs the batches."""


def _whole_epoch(draft: Draft, obstacle: Obstacle) -> list[Item]:
    """An epoch's statements as they stand, the training function's body in place of its call."""
    nest = draft.nest
    assert nest.batches is not None
    if nest.epochs is None:
        if nest.inner is not nest.entry or nest.step_frame is not nest.inner:
            raise draft.refuse("function-not-inlined", obstacle.node, obstacle.reason)
        return [Item(nest.batches.node, nest.entry)]
    if nest.step_frame is not nest.inner or nest.between:
        raise draft.refuse("function-not-inlined", obstacle.node, obstacle.reason)
    items = items_of(nest.epochs.node.body, nest.entry)
    if nest.inner is nest.entry:
        return items
    for index, item in enumerate(items):
        if item.node is nest.inner.statement:
            try:
                check_call_first(item.node, nest.inner.call)
            except NotStraight as problem:
                raise draft.refuse("function-not-inlined", item.node, problem.reason) from problem
            binds, body, result = callee_items(nest.inner, item.node)
            binds = draft.variables.unite_binds(binds)
            for used in list(result):
                if draft.variables.unite_result(used):
                    result.remove(used)
                    draft.united.append(used)
            whole = [*items[:index], *binds, *without_return(body), *result, *items[index + 1 :]]
            return draft.without_unread_constants(whole, whole)
    assert nest.inner.statement is not None
    raise draft.refuse(
        "step-not-reached",
        nest.inner.statement,
        f"`{nest.inner.name}` is called inside a branch or a block of the epoch loop",
    )


def _line(line: int) -> ast.AST:
    return ast.Pass(lineno=line, col_offset=0)


_GRADIENTS_OFF = ("no_grad", "inference_mode")


def _check_loops(draft: Draft) -> None:
    """Refuse loops whose turns are no epochs that a Trainer could count."""
    nest = draft.nest
    known = nest.epochs is None or nest.epochs.kind in (Iterable.RANGE, Iterable.TURNS)
    if nest.epochs is not None and nest.batches is None:
        known = known or runs_over_values(draft, nest.epochs)
    if nest.epochs is not None and not known and sequence_of(draft, nest.epochs) is None:
        text = ast.unparse(nest.epochs.base)[:60]
        told = "not over a range" if not text.startswith("range(") else "of which it is not known how long it is"
        raise draft.refuse("unknown-epochs", nest.epochs.node, f"the epoch loop runs over `{text}`, {told}")
    if (
        isinstance(nest.outermost, ast.For | ast.AsyncFor)
        and (place := _no_variable(nest.outermost.target)) is not None
    ):
        told = f"the loop counts in `{ast.unparse(place)[:60]}`, which is no variable"
        raise draft.refuse("unknown-epochs", nest.outermost, told)
    if nest.outermost.orelse and any(isinstance(n, ast.Break) for n in walk_scope(nest.outermost.body)):
        raise draft.refuse("loop-else", nest.outermost, "the loop has an `else` block")


def _no_variable(target: ast.expr) -> ast.expr | None:
    """The part of a loop's target that is an attribute or an element of something."""
    parts = (n for n in ast.walk(target) if isinstance(n, ast.Attribute | ast.Subscript))
    return next((n for n in parts if isinstance(n.ctx, ast.Store)), None)


def _check_entry(draft: Draft) -> None:
    scope = draft.nest.entry.scope
    if not isinstance(scope, ast.Module) and draft.source.in_class(scope):
        raise draft.refuse("loop-in-class", draft.nest.outermost, f"the loop is in a method, `{scope.name}`")
    if isinstance(scope, ast.AsyncFunctionDef):
        raise draft.refuse("loop-in-coroutine", draft.nest.outermost, "the loop is in a coroutine")
    for frame in (draft.nest.entry, *draft.nest.entered):
        for decorator in getattr(frame.scope, "decorator_list", ()):
            if dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).endswith(_GRADIENTS_OFF):
                message = (
                    f"`{frame.name}` runs without gradients but for what asks for them, and Lightning trains with them"
                )
                raise draft.refuse("function-not-inlined", draft.nest.outermost, message)
    for node in walk_scope(draft.nest.outermost):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise draft.refuse("loop-in-coroutine", node, "the loop gives values to its caller while it runs")
    for node in walk_scope(scope.body):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("exec", "eval", "locals")
        ):
            if draft.roles.key(scope, node.func.id) is not None:
                continue
            before = node.lineno < draft.nest.outermost.lineno
            if before and isinstance(scope, ast.Module):
                if node.func.id == "exec":
                    draft.note(
                        "settings-run-as-code",
                        node,
                        "`exec` may give any name another value; the conversion takes names for what the script itself says of them",
                    )
                continue
            if node.func.id == "exec" or not before:
                raise draft.refuse(
                    "names-made-at-run-time",
                    node,
                    f"`{node.func.id}` makes or reads names that cannot be seen here",
                )


def _unite(draft: Draft, epoch: Epoch) -> None:
    """Bring the names of functions and their callers together."""
    set_aside_bar(draft, epoch.before)
    epoch.before = draft.variables.unite_binds(epoch.before)
    epoch.batch = draft.variables.unite_binds(epoch.batch)
    for items in (epoch.batch, epoch.after):
        for item in list(items):
            if draft.variables.unite_result(item):
                items.remove(item)
                draft.united.append(item)


def _epoch_obstacle(draft: Draft) -> Obstacle | None:
    """What stands before the batch loop and cannot be a hook at the epoch's start."""
    nest = draft.nest
    assert nest.batches is not None
    for item in draft.epoch.before:
        if item.kind == "statement" and controls(item.node):
            return Obstacle(item.node, "control flow stands before the batch loop")
    for item in draft.epoch.after:
        if item.kind == "statement":
            for control in controls(item.node):
                if isinstance(control, ast.Return) and not leaves_only_loop(draft, control):
                    raise draft.refuse(
                        "return-in-loop", control, "`return` leaves the function from inside the epoch loop"
                    )
    return None
