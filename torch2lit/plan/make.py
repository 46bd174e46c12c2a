"""Make the plan of one nest: the best mechanism whose conditions hold, and a place for every statement."""

from __future__ import annotations

import ast

from ..ddp.own import own_group
from ..program import Mechanism, TrainerSpec
from ..recover.items import Item, callee_items, items_of
from ..recover.loops import Iterable
from ..recover.phases import Epoch, NotStraight, check_call_first, take_apart, without_return
from ..recover.roles import Role
from ..recover.state_names import is_attribute
from ..recover.syntax import dotted, walk_scope
from ..recover.variables import Variable
from .accumulation import place_accumulated
from .afterwards import statements_after
from .breaks import claim_breaks, left_by_break
from .draft import BATCH_START, EPOCH_START, TRAINING_STEP, Draft
from .epoch_values import runs_over_values, sequence_of
from .group import check_group
from .handlers import interrupt_handlers, may_exit, one_line
from .homes import settle
from .idioms import claim_statements
from .last_returns import leaves_only_loop
from .leaving import place_leaving, take_back
from .mixed_precision import begin_mixed, settle_mixed, unwrap_validation
from .optimizers import Configured, configure
from .outer_bar import drop_bound_bar
from .own_bars import set_aside_bar
from .sampler_epoch import leave_epoch_to_trainer
from .state import State
from .steps import (
    Obstacle,
    automatic_obstacle,
    controls,
    find_step,
    gradients_may_survive,
    optimizer_names,
    optimizes_all,
    place_automatic,
    place_manual,
    reads_gradients,
)
from .train_data import drop_unread_parameters, find_train_data
from .trainer import trainer_arguments
from .turns import place_stop
from .validation import place_after, trained_models


def make_plan(draft: Draft) -> tuple[Configured, State]:
    """Fill in the draft. Raises Refused when no mechanism holds."""
    obstacle = _try_batches(draft)
    if obstacle is not None:
        _fall_back_to_epochs(draft, obstacle)
    configured = configure(draft)
    _keep_carried_gradients(draft)
    _keep_first_gradients(draft)
    leave_epoch_to_trainer(draft)
    claim_statements(draft)
    drop_bound_bar(draft)
    draft.variables.gone = {*draft.removals, *(part for claim in draft.claims.values() for part in claim.unread)}
    state = settle(draft, configured)
    check_group(draft, state)
    draft.trainer = trainer_arguments(draft)
    _look_for_troubles(draft)
    return configured, state


def _try_batches(draft: Draft) -> Obstacle | None:
    """Plan with one hook call per batch; an obstacle when the batch loop has to stay as it is."""
    nest = draft.nest
    known = nest.epochs is None or nest.epochs.kind in (Iterable.RANGE, Iterable.TURNS)
    if nest.epochs is not None and nest.batches is None:
        known = known or runs_over_values(draft, nest.epochs)
    if nest.epochs is not None and not known and sequence_of(draft, nest.epochs) is None:
        raise draft.refuse(
            "unknown-epochs",
            nest.epochs.node,
            f"the epoch loop runs over `{ast.unparse(nest.epochs.base)[:60]}`, not over a range",
        )
    if nest.outermost.orelse and any(isinstance(n, ast.Break) for n in walk_scope(nest.outermost.body)):
        raise draft.refuse("loop-else", nest.outermost, "the loop has an `else` block")
    _check_entry(draft)
    try:
        draft.epoch = take_apart(draft.source, draft.roles, nest)
    except NotStraight as problem:
        return Obstacle(_line(problem.line), problem.reason)
    _unite(draft, draft.epoch)
    if nest.batches is not None:
        found = find_train_data(draft)
        if isinstance(found, Obstacle):
            return found
        draft.train_data = found
        drop_unread_parameters(draft)
        if reason := _epoch_obstacle(draft):
            return reason
    return _place_batches(draft)


def _line(line: int) -> ast.AST:
    return ast.Pass(lineno=line, col_offset=0)


_GRADIENTS_OFF = ("no_grad", "inference_mode")


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


def _place_batches(draft: Draft) -> Obstacle | None:
    nest = draft.nest
    claim_breaks(draft)
    if draft.train_data is not None and draft.train_data.asks_at_end and left_by_break(draft):
        return Obstacle(nest.outermost, "a `break` leaves a loader that has a random generator of its own")
    place_leaving(draft)
    kept, kept_claims = dict(draft.removals), dict(draft.claims)
    obstacle = _place_optimized(draft)
    if nest.batches is None:
        draft.mechanism = Mechanism.ITERATIONS
        draft.note(
            "one-step-per-turn",
            nest.outermost,
            "every turn of the loop is one step: the turns are the batches of one epoch",
        )
    if obstacle is not None:
        draft.automatic = False
        draft.hooks.clear()
        draft.removals, draft.claims = kept, kept_claims
        draft.returned, draft.returned_name, draft.returned_at = None, "", None
        if (left := place_manual(draft)) is not None:
            if nest.batches is None:
                raise draft.refuse("return-in-loop", left.node, left.reason)
            return left
        if nest.batches is not None:
            draft.mechanism = Mechanism.MANUAL
        draft.note("manual-optimization", obstacle.node, f"kept as manual optimization: {obstacle.reason}")
    if nest.batches is not None and nest.epochs is not None:
        draft.hooks[EPOCH_START] = list(draft.epoch.before)
        draft.hooks[BATCH_START] = draft.epoch.leaving
        place_after(draft)
        unwrap_validation(draft)
    place_stop(draft)
    return None


def _place_optimized(draft: Draft) -> Obstacle | None:
    """Automatic optimization, in the Trainer's precision where that is the script's."""
    if module := draft.module_that_trains:
        why = f"class `{module}` is a module, whose attributes may be its own parameters"
        return Obstacle(draft.nest.outermost, why)
    if (before := begin_mixed(draft)) is not None:
        placed = place_accumulated(draft) or _place_plain(draft) is None
        if settle_mixed(draft, before, placed):
            return None
    return None if place_accumulated(draft) else _place_plain(draft)


def _place_plain(draft: Draft) -> Obstacle | None:
    """Automatic optimization with one step per batch."""
    step = find_step(draft)
    if isinstance(step, Obstacle):
        return step
    return automatic_obstacle(draft, step) or place_automatic(draft, step)


def _fall_back_to_epochs(draft: Draft, obstacle: Obstacle) -> None:
    """One `training_step` per epoch that holds the raw loop as it stands."""
    nest = draft.nest
    if nest.batches is None:
        raise draft.refuse("step-not-reached", obstacle.node, obstacle.reason)
    draft.mechanism = Mechanism.EPOCHS
    draft.automatic = False
    take_back(draft)
    draft.hooks.clear()
    draft.removals.clear()
    draft.trainer = TrainerSpec()
    draft.claims.clear()
    draft.united.clear()
    draft.validation = None
    draft.train_data = None
    draft.returned, draft.returned_name, draft.returned_at = None, "", None
    draft.variables.forget()
    draft.findings = [f for f in draft.findings if f.slug not in _OF_BATCHES]
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


def _look_for_troubles(draft: Draft) -> None:
    """Findings on what Lightning does otherwise around the loop."""
    for handler in interrupt_handlers(draft):
        if may_exit(draft, handler) or not one_line(draft, handler):
            draft.note(
                "interrupt-not-caught", handler, "`except KeyboardInterrupt` does not see ^C during `trainer.fit`"
            )
        else:
            draft.note(
                "interrupt-is-an-exit",
                handler,
                "`trainer.fit` turns ^C into SystemExit, which the handler takes as well",
            )
            draft.exits.append(handler)
    _look_for_processes(draft)


def _look_for_processes(draft: Draft) -> None:
    """Findings on processes and devices that the script spreads its training over itself."""
    for split in draft.source.calls:
        if draft.roles.full_name(split.func) in ("torch.nn.DataParallel", "torch.nn.parallel.DataParallel"):
            text = f"`{dotted(split.func)}` stays: on several GPUs it goes on splitting every batch among them"
            draft.note("data-parallel-kept", split, text)
    call = own_group(draft.source, draft.roles)
    if call is None or draft.group is not None:
        return
    place: ast.AST | int = call
    text = f"`{dotted(call.func)}` stays: every process trains with a Trainer of its own"
    if draft.wrapped_because is not None:
        line, reason = draft.wrapped_because
        place = line or call
        text = f"the wrapper stays, and every process has a Trainer of its own: {reason}"
    if draft.options.strategy is not None:
        text = f"`{dotted(call.func)}` stays, and `--strategy {draft.options.strategy}` sets up processes as well"
    draft.note("own-processes", place, text)


def _runs_again(draft: Draft) -> bool:
    """Whether the function around the loop may run several times: it is called in a loop or in several places."""
    scope = draft.nest.entry.scope
    if isinstance(scope, ast.Module):
        return False
    if is_attribute(scope.name):  # an object may be asked to train as often as one likes
        return True
    calls = draft.source.calls_to(scope.name)
    return len(calls) > 1 or any(isinstance(a, ast.For | ast.While) for c in calls for a in draft.source.ancestors(c))


def _fits_already(draft: Draft) -> bool:
    """Whether a Trainer runs in the file, as that of a loop that an earlier pass has converted."""
    return any(isinstance(c.func, ast.Attribute) and c.func.attr == "fit" for c in draft.source.calls)


def _keep_first_gradients(draft: Draft) -> None:
    """Lightning clears the module's gradients when `fit` begins; those of an earlier loop have to live on."""
    if draft.module_that_trains:  # what the object holds beside the trained weights is the module's now, too
        draft.methods.append(
            "def zero_grad(self, set_to_none=True):\n    pass  # the script clears its gradients itself\n"
        )
        return
    if not _gradients_matter(draft):
        return
    repeated = any(isinstance(a, ast.For | ast.While) for a in draft.source.ancestors(draft.nest.outermost))
    if draft.other_loops or repeated or _runs_again(draft) or _fits_already(draft):
        draft.methods.append(
            "def zero_grad(self, set_to_none=True):\n    pass  # gradients of an earlier loop live on\n"
        )


def _keep_carried_gradients(draft: Draft) -> None:
    """Lightning clears all gradients before validation; a script that carries them over or reads them wants them kept."""
    if draft.validation is None:
        return
    outside = [*draft.epoch.before, *draft.epoch.after]
    reads = any(draft.effects_of(i).gradients for i in outside) or _gradients_after(draft)
    if reads or _gradients_matter(draft):
        draft.methods.append(
            "def on_validation_model_zero_grad(self):\n    pass  # the script does not clear them here\n"
        )


def _gradients_matter(draft: Draft) -> bool:
    """Whether what an earlier batch has left in the gradients takes part in a later one: nobody clears it, and somebody uses it.

    Gradients that no optimizer clears are those of parameters that none steps, so they matter where the batch itself reads them.
    """
    if not draft.automatic and gradients_may_survive(draft):
        return True
    return reads_gradients(draft) and not all(_zeroed(draft, m) for m in trained_models(draft))


def _zeroed(draft: Draft, model: Variable) -> bool:
    """Whether an optimizer holds all of a model's parameters, so that its own zero_grad clears the same ones."""
    frame = draft.nest.entry if is_attribute(model.name) else model.frame
    if frame is None:
        return False
    name, item = ast.Name(model.name, ast.Load()), Item(draft.nest.outermost, frame)
    return any(optimizes_all(draft, name, item, optimizer) for optimizer in optimizer_names(draft))


def _gradients_after(draft: Draft) -> bool:
    """Whether code after the loop looks at gradients."""
    scope = draft.nest.entry.scope
    return any(draft.effects.of(s, scope).gradients for s in statements_after(draft))


def role_summary(draft: Draft) -> tuple[tuple[str, str], ...]:
    """The roles and the names that play them in the nest's scopes."""
    found: dict[tuple[str, str], None] = {}
    for item in draft.epoch.items:
        for node in walk_scope(item.node):
            if isinstance(node, ast.Name):
                role = draft.roles.role(item.frame.scope, node.id)
                if isinstance(role, Role):
                    found.setdefault((role.value, node.id))
    return tuple(sorted(found))
