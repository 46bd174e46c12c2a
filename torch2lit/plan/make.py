"""Make the plan of one nest: the best mechanism whose conditions hold, and a place for every statement."""

from __future__ import annotations

import ast

from ..ddp.hindrances import Hindrance
from ..ddp.own import in_place_of, own_group, shards, unwrapped
from ..recover.items import Item
from ..recover.roles import Role
from ..recover.state_names import is_attribute
from ..recover.syntax import dotted, walk_scope
from ..recover.variables import Variable
from .bound_elsewhere import check_bound_elsewhere
from .deleted_after import leave_out_lost_names
from .differs import tell_of_differences
from .draft import Draft
from .fully_sharded import configure_model
from .given_globals import unite_given_globals
from .going_on import check_going_on
from .gradients_afterwards import gradients_used_after
from .gradients_before import touches_gradients_before
from .group import NOT_AUTOMATIC, check_group, not_automatic
from .handlers import interrupt_handlers, may_exit, one_line
from .held_models import trained_models
from .held_parameters import holds_every
from .homes import settle
from .idioms import claim_statements
from .lower_precision import tell_of_precision
from .mechanisms import first_mechanism
from .optimizers import Configured, configure, steps_are_counted
from .outer_bar import drop_bound_bar
from .proposals import propose
from .reported import report_numbers
from .runs_again import runs_again
from .sampler_epoch import leave_epoch_to_trainer
from .second_evaluation import can_be_asked
from .several_devices import check_options, plan_several, start_loaders_early, tell_of_several
from .sharded import check_sharded, tell_of_shards
from .state import State
from .steps import optimizer_names, reads_gradients, reads_gradients_at
from .stop_iterations import place_errors
from .sums.metric_objects import keep_in_metrics
from .surviving_gradients import gradients_are_carried, gradients_may_survive, only_clears
from .touched_gradients import touches
from .train_mode import leave_train_mode_to_lightning
from .trainer import trainer_arguments
from .validation_modes import say_modes


def make_plan(draft: Draft) -> tuple[Draft, Configured, State]:
    """The draft with the first mechanism that holds, and all that follows from it. Raises Refused when none does."""
    draft = first_mechanism(draft)
    unite_given_globals(draft)
    start_loaders_early(draft)
    configured = configure(draft)
    _keep_carried_gradients(draft)
    _keep_first_gradients(draft)
    leave_epoch_to_trainer(draft)
    leave_train_mode_to_lightning(draft)
    draft.counted_steps = steps_are_counted(draft, configured)
    draft = propose(draft)
    claim_statements(draft)
    drop_bound_bar(draft)
    place_errors(draft)
    draft.variables.gone = {*draft.removals, *(part for claim in draft.claims.values() for part in claim.unread)}
    draft.variables.gone |= {name for _word, one in draft.sums for name in one.names}
    draft.variables.anew = {node for node in draft.exchanged if isinstance(node, ast.AugAssign)}
    state = settle(draft, configured)
    if not all(can_be_asked(draft, state, second) for second in draft.seconds):
        draft.seconds = []
        state = settle(draft, configured)
    keep_in_metrics(draft, state)
    say_modes(draft, state)
    check_going_on(draft, configured, state)
    check_bound_elsewhere(draft, state, configured.optimizers)
    check_group(draft, state)
    report_numbers(draft, state)
    plan_several(draft)
    check_sharded(draft)
    configure_model(draft, configured, state)
    draft.trainer = trainer_arguments(draft)
    check_options(draft)
    tell_of_several(draft)
    tell_of_differences(draft)
    tell_of_precision(draft)
    tell_of_shards(draft)
    leave_out_lost_names(draft, state)
    _look_for_troubles(draft)
    return draft, configured, state


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
    if draft.options.strategy is not None:
        text = f"`{dotted(call.func)}` stays, and `--strategy {draft.options.strategy}` sets up processes as well"
        draft.note("own-processes", call, text)
    elif draft.wrapped_because:
        first, *more = _hindrances(draft)
        text = f"the wrapper stays, and every process has a Trainer of its own: {first.text}"
        draft.note("own-processes", first.line or call, text)
        for one in more:
            draft.note("own-processes", one.line or call, f"the wrapper stays as well because {one.text}")
    else:
        text = f"`{dotted(call.func)}` stays: every process trains with a Trainer of its own"
        why = unwrapped(draft.source, draft.roles)
        draft.note("own-processes", call, f"{text}; {why}" if why else text)
        others = in_place_of(draft.source, draft.roles, trainer=True) if shards(draft.source, draft.roles) else []
        for other, instead in [one for one in others if one[0] is not call]:
            draft.note("own-processes", other, f"`{dotted(other.func)}` stays as well: without it {instead}")


def _hindrances(draft: Draft) -> tuple[Hindrance, ...]:
    """What keeps the wrapper, with the mechanism, which is known only now."""
    if draft.automatic or any(one.reason == NOT_AUTOMATIC for one in draft.wrapped_because):
        return draft.wrapped_because
    return (*draft.wrapped_because, not_automatic(draft))


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
    if not _gradients_matter(draft) and not _read_first(draft):
        return
    if draft.other_loops or runs_again(draft) or _fits_already(draft) or touches_gradients_before(draft):
        draft.methods.append(
            "def zero_grad(self, set_to_none=True):\n    pass  # gradients of an earlier loop live on\n"
        )


def _read_first(draft: Draft) -> bool:
    """Whether an epoch looks at gradients before its batches, so that the first one sees what was there before the loop."""
    before = draft.epoch.before if draft.nest.batches is not None else []
    looks = (i for i in before if i.kind == "statement" and touches(draft, i.node))
    return any(reads_gradients_at(draft, item) for item in looks)


def _keep_carried_gradients(draft: Draft) -> None:
    """Lightning clears all gradients before validation; a script that carries them over or reads them wants them kept."""
    found = draft.validation
    if found is None:
        return
    outside = [i for i in [*draft.epoch.before, *draft.epoch.after] if not only_clears(draft, i)]
    reads = any(draft.effects_of(i).gradients for i in outside) or gradients_used_after(draft)
    if reads or (not draft.automatic and gradients_are_carried(draft, found)) or _reads_unstepped(draft):
        draft.methods.append(
            "def on_validation_model_zero_grad(self):\n    pass  # the script does not clear them here\n"
        )


def _gradients_matter(draft: Draft) -> bool:
    """Whether what an earlier batch has left in the gradients takes part in a later one: nobody clears it, and somebody uses it.

    Gradients that no optimizer clears are those of parameters that none steps, so they matter where the batch itself reads them.
    """
    return (not draft.automatic and gradients_may_survive(draft)) or _reads_unstepped(draft)


def _reads_unstepped(draft: Draft) -> bool:
    """Whether a batch, or what follows an epoch's batches, reads gradients that no optimizer clears."""
    after = [i for i in draft.epoch.after if i.kind == "statement" and touches(draft, i.node)]
    looked_at = reads_gradients(draft) or any(reads_gradients_at(draft, i) for i in after)
    return looked_at and not all(_zeroed(draft, m) for m in trained_models(draft))


def _zeroed(draft: Draft, model: Variable) -> bool:
    """Whether an optimizer holds all of a model's parameters, so that its own zero_grad clears the same ones."""
    everywhere = is_attribute(model.name) or isinstance(model.scope, ast.Module)
    frame = draft.nest.entry if everywhere else model.frame
    name = ast.Name(model.name, ast.Load())
    if frame is None or draft.variable(name, frame) != model:
        return False
    item = Item(draft.nest.outermost, frame)
    return any(holds_every(draft, name, item, optimizer) for optimizer in optimizer_names(draft))


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
