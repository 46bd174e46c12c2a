"""Where optimizers and schedulers are made and who steps the schedulers."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..program import Mechanism
from ..recover.items import Item, names_in, only_names
from ..recover.makings import Value, sources
from ..recover.names import flow
from ..recover.own_classes import definition_of
from ..recover.roles import Role
from ..recover.state_names import is_state
from ..recover.syntax import dotted, walk, walk_scope
from ..recover.variables import Variable
from .afterwards import statements_after
from .breaks import may_end_early
from .draft import (
    BATCH_END,
    EPOCH_END,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    Draft,
    Removal,
)
from .gradients_before import touches_gradients_before
from .group_settings import set_behind, stay_inside
from .handlers import read_in_handlers
from .held_optimizers import Held, held_in, taken_out_of
from .listed_optimizers import Listed, listed_optimizers, only_stepped
from .loaded_states import Loaded, loaded_states, state_of, test_of
from .made_attributes import is_asked_first_in_loop, only_the_program_shows
from .made_with import (
    clears,
    holds_no_optimizer,
    is_named_there_alone,
    is_unread,
    looks_at_weights,
    objects_around,
    settings_of,
)
from .making import Making, makers
from .moved import moved_functions
from .outer_bar import bar_of_loop_alone
from .plateau import WORD, claim_plateau
from .schedule_reads import asks_what_changes
from .stepping_objects import stepping_objects
from .steps import controls, is_scheduler_step, optimizer_names
from .turns import while_condition


@dataclass
class Configured:
    """What ``configure_optimizers`` is made of.

    ``moved``: raw statements that now stand there, in their order. ``kept``: expressions of optimizers that the
    script goes on making itself. ``scheduler`` with ``interval`` is the one that Lightning steps.
    """

    optimizers: list[Variable] = field(default_factory=list)
    expressions: list[ast.expr] = field(default_factory=list)
    moved: list[ast.stmt] = field(default_factory=list)
    scheduler: Variable | None = None
    interval: str = ""
    monitor: str = ""
    """What texts call the name of the number by which the Trainer steps it, "" where it needs none."""
    held: list[Variable] = field(default_factory=list)
    """Schedulers that are made there, too, and that the script's own statements step: attributes of the module."""
    wrapped: bool = True
    """Whether ``self.optimizers()`` offers all that the loop asks of them; torch's own objects are with the Trainer."""
    loaded: list[Loaded] = field(default_factory=list)
    """States that are loaded where the objects are made."""
    set_behind: dict[ast.stmt, Loaded] = field(default_factory=dict)
    """Moved statements that only run where a state was loaded, each with that state."""
    listed: Listed | None = None
    """The list of optimizers that is made there, when the loop knows them by it."""
    inside: dict[Variable, str] = field(default_factory=dict)
    """Objects of the script's own that are made there and step an optimizer, with what each calls it."""
    unread: list[ast.stmt] = field(default_factory=list)
    """Moved statements that make what nothing mentions again: they are written without its name."""
    shared: bool = False
    """Whether what is made are attributes of the script's object, which others read there as well."""
    templates: list[str] = field(default_factory=list)
    """How each expression is written, ``{}`` being itself: the script may take optimizers out of what it holds (``*{}``)."""


def configure(draft: Draft) -> Configured:
    """Decide how ``configure_optimizers`` looks."""
    names = [n for n in optimizer_names(draft) if not _is_own_object(draft, n)]
    own = {} if names or draft.automatic or draft.resumed else stepping_objects(draft)
    variables: list[Variable] = []
    written = draft.variables.sequence(draft.all_items()).written
    if not draft.automatic:  # the script's own calls go to whatever optimizer it has by then
        written = draft.variables.written_in_sight(draft.all_items())
    held: list[Held] = []
    for name in names:
        variable = draft.variable(name, draft.nest.step_frame)
        if variable is not None and variable in written:
            taken = taken_out_of(draft, name, written)
            held += [taken] if taken is not None else held_in(draft, name, written)
            variable = None
        else:
            held.append((name, "{}"))
        if variable is not None and variable not in variables:
            variables.append(variable)
    names, templates = [expression for expression, _template in held], [template for _expression, template in held]
    configured = Configured(variables, names, templates=templates)
    if not variables and templates == ["*{}"]:
        _claim_listed(draft, configured, names[0])
    if len(variables) != len(names):
        return configured
    _claim_scheduler(draft, configured)
    _claim_construction(draft, configured, own)
    if (waiting := claim_plateau(draft, configured.held, configured.optimizers, configured.moved)) is not None:
        configured.scheduler, configured.interval, configured.monitor = waiting, "epoch", WORD
        configured.held = []
    return configured


def steps_are_counted(draft: Draft, configured: Configured) -> bool:
    """Whether a batch that is optimized by hand surely steps an optimizer that the Trainer hands out and counts."""
    if draft.automatic or not configured.moved or not configured.wrapped or draft.nest.batches is None:
        return False
    if draft.mechanism is not Mechanism.MANUAL or draft.nest.epochs is None:
        return False
    for item in draft.hooks.get(TRAINING_STEP, []):
        if item.kind != "statement":
            continue
        if item.guard is None and _steps(draft, configured, item.node, item):
            return True
        if not all(_has_stepped(draft, configured, control, item) for control in controls(item.node)):
            return False
    return False


def _steps(draft: Draft, configured: Configured, statement: ast.stmt, item: Item) -> bool:
    """Whether a statement is the step of an optimizer that Lightning has made its own."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="step"))):
            return draft.variable(name, item.frame) in configured.optimizers
    return False


def _has_stepped(draft: Draft, configured: Configured, control: ast.AST, item: Item) -> bool:
    """Whether a `continue`, which ends the batch, stands behind a step in the block that holds it."""
    if not isinstance(control, ast.Continue):
        return False
    block = draft.source.block_of(control)
    return any(_steps(draft, configured, s, item) for s in block[: block.index(control)])


def may_be_none(draft: Draft, optimizer: ast.expr) -> bool:
    """Whether the script may have no such optimizer: it then holds None in its place."""
    variable = draft.variable(optimizer, draft.nest.step_frame)
    if variable is None:
        return False
    parts = sources(Value(ast.Name(variable.name, ast.Load()), variable.scope, draft.roles))
    return any(isinstance(p.node, ast.Constant) and p.node.value is None for p in parts)


def _is_own_object(draft: Draft, name: ast.expr) -> bool:
    """Whether a step belongs to an object that is no optimizer of torch's: the script goes on stepping it itself."""
    scope = draft.nest.step_frame.scope
    key = draft.roles.key(scope, name.id) if isinstance(name, ast.Name) else None
    runs_backward = key is not None and "backward" in draft.roles.uses(
        key
    )  # an engine, as no optimizer of torch's does
    return runs_backward or draft.roles.is_plain_object(name, scope)


# ---- schedulers


def _schedulers(draft: Draft) -> dict[Variable, list[Item]]:
    found: dict[Variable, list[Item]] = {}
    for item in draft.all_items():
        for node, frame in names_in(item):
            if draft.role(node, frame) is Role.SCHEDULER:
                variable = draft.variable(node, frame)
                if variable is not None and item not in found.setdefault(variable, []):
                    found[variable].append(item)
    return found


def _claim_scheduler(draft: Draft, configured: Configured) -> None:
    """Let Lightning step the one scheduler if it stands where Lightning would step it."""
    found = _claimable_step(draft, configured.optimizers)
    if found is None:
        return
    configured.scheduler, step, configured.interval = found
    draft.removals[step.node] = Removal(
        "configure_optimizers",
        "scheduler",
        f"Lightning steps the scheduler at the end of every {'batch' if configured.interval == 'step' else 'epoch'}",
    )
    for hook in draft.hooks.values():
        if step in hook:
            hook.remove(step)
    if not draft.hooks.get(BATCH_END, [1]):
        del draft.hooks[BATCH_END]


def _claimable_step(draft: Draft, optimizers: list[Variable]) -> tuple[Variable, Item, str] | None:
    """The scheduler that Lightning may step, the statement that steps it and the interval."""
    if not draft.automatic:
        return None
    schedulers = _schedulers(draft)
    if len(schedulers) != 1:
        return None
    variable, items = next(iter(schedulers.items()))
    if variable in draft.variables.written_in_sight(draft.epoch.items):
        return None  # Lightning would go on stepping the first one
    steps = [i for i in items if is_scheduler_step(draft, i)]
    if len(steps) != 1 or not _plain_scheduler(draft, variable, optimizers):
        return None
    step = steps[0]
    assert isinstance(step.node, ast.Expr) and isinstance(step.node.value, ast.Call)
    if step.node.value.args or step.node.value.keywords:
        return None
    batch_end = draft.hooks.get(BATCH_END, [])
    if step.guard is not None and step.guard.test is not None:
        return None
    if step in batch_end and step.guard is None:
        if batch_end[0] is not step or any(i.kind != "statement" for i in batch_end[:1]):
            return None
        if any(controls(i.node) for i in draft.hooks[TRAINING_STEP] if i.kind == "statement") or draft.epoch.leaving:
            return None
        if draft.window is not None and step.parent is not draft.window:
            return None  # Lightning would step it on the last batch of each window only
        return variable, step, "step"
    if step in [
        *batch_end,
        *draft.hooks.get(VALIDATION_START, []),
        *draft.hooks.get(VALIDATION_END, []),
        *draft.hooks.get(EPOCH_END, []),
    ]:
        if draft.nest.batches is None or draft.nest.epochs is None or may_end_early(draft):
            return None
        if (
            draft.validation is not None
            and draft.validation.every is not None
            and step not in [*batch_end, *draft.hooks.get(EPOCH_END, [])]
        ):
            return None
        if not _nothing_sees_rate(draft, step) or _asks_too_early(draft, variable, step):
            return None
        return variable, step, "epoch"
    return None


def step_can_be_claimed(draft: Draft, step: Item) -> bool:
    """Whether Lightning may take over this step of a scheduler, asked before the hooks around the batches are made."""
    names = optimizer_names(draft)
    variables = [v for n in names if (v := draft.variable(n, draft.nest.step_frame)) is not None]
    outside = [*draft.epoch.before, *draft.epoch.after]
    written = draft.variables.sequence([*outside, *draft.epoch.batch]).written
    if len(variables) != len(names) or any(v in written for v in variables):
        return False
    found = _claimable_step(draft, variables)
    return found is not None and found[1] is step and not _moved_outside(draft, outside, found[0])


def _moved_outside(draft: Draft, outside: list[Item], scheduler: Variable) -> bool:
    """Whether there is another scheduler around the batches, or this one may be stepped there, too."""
    for item in outside:
        for node, frame in names_in(item):
            if draft.role(node, frame) is Role.SCHEDULER:
                parent = draft.source.parents.get(node)
                read = isinstance(parent, ast.Attribute) and parent.attr in ("get_last_lr", "state_dict", "last_epoch")
                if not read or draft.variable(node, frame) is not scheduler:
                    return True
    return False


def _nothing_sees_rate(draft: Draft, step: Item) -> bool:
    """Whether nothing between the end of the batches and the script's own call looks at the learning rate.

    Lightning steps a scheduler of interval "epoch" right after the last batch, before validation, and not at all in an epoch that ends before it.
    """
    for item in _until(draft, step):
        effects = draft.effects_of(item)
        if effects.optimizer or effects.learning_rate:
            return False
        if item.kind == "statement" and any(isinstance(c, ast.Continue) for c in controls(item.node)):
            return False
    return True


def _until(draft: Draft, step: Item) -> list[Item]:
    """What runs between the last batch's own step and the script's call that steps the schedule."""
    order = [
        *draft.hooks.get(BATCH_END, []),
        *draft.hooks.get(VALIDATION_START, []),
        *(draft.hooks.get("validation_step", [])),
        *draft.hooks.get(VALIDATION_END, []),
        *draft.hooks.get(EPOCH_END, []),
    ]
    return order[: order.index(step)] if step in order else order


def _asks_too_early(draft: Draft, scheduler: Variable, step: Item) -> bool:
    """Whether the schedule asks the script for what changes before the script's own call, and so after Lightning's."""
    statement = _construction(draft, scheduler)
    assert statement is not None
    return asks_what_changes(draft, statement.value, (scheduler.scope, scheduler.name), _until(draft, step))


def _plain_scheduler(draft: Draft, variable: Variable, optimizers: list[Variable]) -> bool:
    statement = _construction(draft, variable)
    if statement is None or not isinstance(statement.value, ast.Call) or not statement.value.args:
        return False
    name = ast.unparse(statement.value.func)
    if not _follows_torch(draft, statement.value, 0):
        return False
    if "Plateau" in name or len(optimizers) != 1:
        return False
    first = draft.variable(statement.value.args[0], draft.nest.entry)
    made = draft.roles.bindings((optimizers[0].scope, optimizers[0].name))
    start, end = statement.lineno, draft.nest.outermost.lineno
    return first is optimizers[0] and not any(start < b.statement.lineno < end for b in made)


def _follows_torch(draft: Draft, call: ast.expr, depth: int) -> bool:
    """Whether a call makes a scheduler that Lightning takes: one of torch's, or of a class of the project above those."""
    if not isinstance(call, ast.Call) or depth > 4:
        return False
    full = draft.roles.full_name(call.func)
    if full.startswith(("torch.optim.", "transformers.")):
        return True
    found = definition_of(draft.roles, call.func)
    if isinstance(found, ast.ClassDef):
        return any(dotted(b).endswith("LR") or "LRScheduler" in dotted(b) for b in found.bases)
    if found is None:
        return False
    results = [n.value for n in walk_scope(found.body) if isinstance(n, ast.Return) and n.value is not None]
    if draft.source.function(full) is not found:
        return bool(results) and all(isinstance(r, ast.Call) and dotted(r.func).endswith("LR") for r in results)
    return bool(results) and all(_follows_torch(draft, r, depth + 1) for r in results)


# ---- optimizers


def _construction(draft: Draft, variable: Variable) -> ast.Assign | None:
    """The one statement at the entry that makes the variable and no other, before the loop and surely on the way to it."""
    statements = makers(draft, variable)
    match statements:
        case [ast.Assign(targets=[ast.Name()]) as statement]:
            return statement
    return None


def _claim_construction(draft: Draft, configured: Configured, own: dict[Variable, str]) -> None:
    """Move the construction into ``configure_optimizers`` when nothing else needs the objects.

    ``own``: objects of the script's that step the optimizers in them, where there are no others, with what they call these.
    """
    if draft.module_that_trains:  # what is bound on a module becomes one of its parameters
        return
    claimed = [] if configured.scheduler is None else [configured.scheduler]
    others = [s for s in _schedulers(draft) if s is not configured.scheduler and s not in configured.optimizers]
    held = [s for s in others if not holds_no_optimizer(draft, s)]
    held += [o for o in objects_around(draft, configured.optimizers) if o not in [*others, *claimed]]
    if any(is_state(v.name) or (v not in own and looks_at_weights(draft, v)) for v in [*own, *held]):
        return
    held += [o for o in own if o not in held]
    variables = [*configured.optimizers, *claimed, *held]
    bound_in_loop = draft.variables.sequence(draft.all_items()).written
    statements: list[ast.stmt] = []
    after = flow(statements_after(draft)).exposed
    catches = "NameError" in draft.source.text  # an attribute that is missing raises another error
    for variable in variables:
        beside = variable in held and variable not in own
        made = makers(draft, variable, optional=beside and variable.name not in after and not catches)
        if made is None or variable in bound_in_loop or (not beside and not _all_calls(made, variable.name)):
            return
        statements += [s for s in made if s not in statements]
    statements.sort(key=lambda s: s.lineno)
    of_torch = [v for v in variables if v not in own]
    settings = settings_of(draft, of_torch, statements)
    idle = [] if touches_gradients_before(draft) else [s for s in settings if clears(draft, s, variables)]
    settings = [s for s in settings if s not in idle]
    statements = sorted([*statements, *settings], key=lambda s: s.lineno)
    if not stay_inside(draft, settings, statements):
        return
    loaded = loaded_states(draft, of_torch, statements)
    configured.set_behind = {s: one for one in loaded if one.maybe for s in set_behind(draft, one.maybe, one.variable)}
    settings += configured.set_behind
    statements = sorted([*statements, *configured.set_behind], key=lambda s: s.lineno)
    written = frozenset(name for s in statements for name in flow([s]).written)
    making = Making(draft, statements, written, bar_of_loop_alone(draft))
    bound = {v.name for v in variables} | {n for s in settings for n in flow([s]).written}
    if making.names & flow(statements).exposed or not is_named_there_alone(draft, making.names - bound, statements):
        return
    if not making.may_run_later():
        return
    loads: list[ast.stmt] = [s for one in loaded for s in one.statements]
    alone = [v for v in variables if _is_reached_by_the_loop_alone(draft, v, [*statements, *idle], loads)]
    if len(alone) < len(variables):
        if not _may_be_shared(draft, variables, [*statements, *idle]):
            return
        configured.shared = True
    for statement in idle:
        draft.removals[statement] = Removal("configure_optimizers", "configure_optimizers", "nothing has gradients yet")
    configured.loaded = loaded
    for one in loaded:
        _keep_state(draft, one)
    configured.moved, configured.held, configured.inside = statements, held, own
    configured.unread = [s for s in settings if is_unread(draft, s)]
    configured.wrapped = not configured.shared and all(_only_steps(draft, v) for v in configured.optimizers)
    _remove(draft, statements)


def _may_be_shared(draft: Draft, variables: list[Variable], making: list[ast.stmt]) -> bool:
    """Whether the module may bind attributes of the script's object, for whoever reads them: nobody does before the loop runs."""
    if not all(is_state(v.name) for v in variables) or not _always_fits(draft, making[0]):
        return False
    return all(is_asked_first_in_loop(draft, v, making) for v in variables)


def _keep_state(draft: Draft, one: Loaded) -> None:
    """Have the script name a state where it loads it."""
    if not one.surely and not one.bound:
        draft.rewritten[one.made] = f"{one.name} = None\n"
    for load in one.statements:
        if one.named:
            draft.removals[test_of(draft, load) or load] = Removal(
                "configure_optimizers", "configure_optimizers", "the module loads it"
            )
        else:
            draft.rewritten[load] = f"{one.name} = {draft.source.segment(state_of(load))}\n"


def _claim_listed(draft: Draft, configured: Configured, name: ast.expr) -> None:
    """Move the making of a list of optimizers into ``configure_optimizers`` when nothing else needs any of them."""
    listed = None if draft.module_that_trains or draft.automatic else listed_optimizers(draft, name)
    if listed is None or _schedulers(draft):
        return
    statements = list(listed.statements)
    making = Making(draft, statements, frozenset(name for s in statements for name in flow([s]).written))
    if making.names & flow(statements).exposed or not making.may_run_later():
        return
    known = [listed.variable, *listed.elements]
    if not all(_is_reached_by_the_loop_alone(draft, v, statements, []) for v in known):
        return
    configured.moved, configured.listed = statements, listed
    configured.wrapped = listed.several and only_stepped(draft, listed)
    _remove(draft, statements)


def _remove(draft: Draft, statements: list[ast.stmt]) -> None:
    for statement in statements:
        draft.removals[statement] = Removal(
            "configure_optimizers", "configure_optimizers", "Lightning asks the module for its optimizer"
        )


def _all_calls(statements: list[ast.stmt], name: str) -> bool:
    """Whether a name only gets what calls give: an optimizer that is None is none of Lightning's."""
    assigned = [n for s in statements for n in walk(s) if isinstance(n, ast.Assign)]
    values = [a.value for a in assigned if name in (only_names(a.targets[0]) or [])]
    return all(isinstance(v, ast.Call) for v in values)


def _is_reached_by_the_loop_alone(
    draft: Draft, variable: Variable, statements: list[ast.stmt], loads: list[ast.stmt]
) -> bool:
    """Whether the loop, and what surely comes after it, are all that reads the object under its name."""
    if variable.name in read_in_handlers(draft) or (
        is_state(variable.name) and not only_the_program_shows(draft, variable)
    ):
        return False
    if variable.name in flow(statements_after(draft)).exposed and not _always_fits(draft, statements[0]):
        return False
    binding = (s.lineno for s in statements if variable.name in flow([s]).written)
    start, outermost = next(binding, statements[0].lineno), draft.nest.outermost
    inside = {id(n) for n in walk(outermost)} - {id(n) for s in outermost.orelse for n in walk(s)}
    moved: list[ast.AST] = [
        *statements,
        *loads,
        *(i.node for i in draft.united),
        *moved_functions(draft),
        *_entered_calls(draft),
    ]
    inside |= {id(n) for root in moved for n in walk(root)}
    for node in draft.source.all(ast.Name):
        if node.id != variable.name or id(node) in inside:
            continue
        scope = draft.source.scope_of(node)
        if draft.roles.key(scope, node.id) != (variable.scope, variable.name):
            continue
        if (
            is_state(variable.name)
            or scope is not variable.scope
            or start <= node.lineno <= (outermost.end_lineno or start)
        ):
            return False
    return True


def _always_fits(draft: Draft, statement: ast.stmt) -> bool:
    """Whether whatever runs after the loop runs after a whole fit: the Trainer has the optimizers then."""
    owner = draft.source.parents[statement]
    for ancestor in draft.source.ancestors(draft.nest.outermost):
        if ancestor is owner:
            return while_condition(draft) is None and not isinstance(owner, ast.Try)
        if not isinstance(ancestor, ast.With):
            return False
    return False


def _entered_calls(draft: Draft) -> list[ast.AST]:
    """The calls whose bodies were moved into hooks: what they pass is bound already."""
    calls: list[ast.AST] = []
    for frame in (draft.nest.inner, draft.nest.step_frame):
        if frame.call is not None:
            calls.append(frame.call)
    if draft.validation is not None:
        calls += draft.validation.calls
    return calls


def _only_steps(draft: Draft, optimizer: Variable) -> bool:
    """Whether the loop uses an optimizer in no way but those in which Lightning's wrapper is the same."""
    offered = ("param_groups",) if draft.automatic else ("param_groups", "step", "zero_grad")
    for item in draft.all_items():
        if item.node in draft.removals:
            continue
        for node, frame in names_in(item):
            parent = draft.source.parents.get(node)
            plain = isinstance(parent, ast.Attribute) and parent.attr in offered
            if not plain and draft.variable(node, frame) is optimizer:
                return False
    return True
