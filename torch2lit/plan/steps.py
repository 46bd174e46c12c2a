"""How one batch is optimized: automatically where that is provably the same, by hand otherwise."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.backwards import object_backward
from ..recover.closure_steps import begins_with_closure
from ..recover.effects import KNOWN_PACKAGES, NO_TORCH_RNG
from ..recover.items import Item, names_in, parts
from ..recover.phases import has_backward
from ..recover.raised import Takers, raised_by, takers_around
from ..recover.roles import Key, Role
from ..recover.state_names import is_attribute
from ..recover.stepping import is_held, stepped_optimizer
from ..recover.syntax import blocks, dotted, remembered, root_name, walk, walk_scope
from ..recover.variables import Variable
from ..recover.whole_steps import optimizers_inside
from .afterwards import statements_after
from .draft import BATCH_END, BEFORE_STEP, TRAINING_STEP, Draft, Removal
from .draft import Obstacle as Obstacle
from .gradients_before import clears_first, leaves_gradients_before
from .held_optimizers import taken_out_of
from .held_parameters import holds_every
from .may_run import may_run, runs_in_loop
from .one_path import several_told
from .scaled import loss_of, scaled_optimizer
from .zeroing import zero_grad_call, zeroed


@dataclass
class Step:
    """The parts of a batch around its one backward and its one step."""

    before: list[Item]
    backward: Item
    between: list[Item]
    step: Item
    after: list[Item]
    optimizer: Variable
    zero_grads: list[Item]


def find_step(draft: Draft) -> Step | Obstacle:
    """The one plain step of a batch, or what is in its way."""
    nest = draft.nest
    items = draft.epoch.batch
    if nest.by_hand:
        return Obstacle(nest.sites[0], "the parameters are updated by hand, without an optimizer")
    if len(nest.backwards) != 1:
        return Obstacle(
            nest.backwards[-1], several_told(draft.source, nest.backwards, "backward pass", "backward passes")
        )
    if len(nest.steps) != 1:
        return Obstacle(nest.steps[-1], several_told(draft.source, nest.steps, "optimizer step", "optimizer steps"))
    backward, step = nest.backwards[0], nest.steps[0]
    if (held := next((c for c in (backward, step) if is_held(c)), None)) is not None:
        return Obstacle(held, f"`{ast.unparse(held.func)}` holds the optimizer's step")
    if backward.args or backward.keywords:
        return Obstacle(backward, "`backward` has arguments")
    if (step.args or step.keywords) and scaled_optimizer(draft, step) is None:
        if isinstance(step.func, ast.Attribute) and draft.role(step.func.value, nest.step_frame) is Role.SCALER:
            return Obstacle(step, f"`{ast.unparse(step.func.value)}` scales the gradients and takes the step")
        return Obstacle(step, "`step` gets a closure or other arguments")
    at_backward = _position(items, backward)
    at_step = _position(items, step)
    if at_backward is None or at_step is None:
        node = backward if at_backward is None else step
        return Obstacle(node, "backward or step stands inside a branch or a block")
    if at_step < at_backward:
        return Obstacle(step, "the step comes before the backward pass")
    optimizer = _receiver(draft, items[at_step], step)
    if optimizer is None:
        return Obstacle(step, "the optimizer is not a plain variable")
    if is_attribute(optimizer.name) and optimizer in draft.variables.sequence(draft.epoch.items).written:
        return Obstacle(step, f"code that is not seen may give `{optimizer.name}` another value")
    if _is_chosen_anew(draft, optimizer):
        return Obstacle(step, f"`{optimizer.name}` may be another optimizer in another turn of the loop")
    if draft.roles.is_plain_object(ast.Name(optimizer.name, ast.Load()), optimizer.scope):
        return Obstacle(step, f"`{optimizer.name}` is no optimizer of torch's")
    if object_backward(draft.roles, backward, draft.nest.step_frame.scope):
        return Obstacle(backward, f"`{ast.unparse(backward.func)}` is a method of an object, and no tensor's")
    if (other := _other_optimizer(draft, items, optimizer)) is not None:
        return Obstacle(other, "a second optimizer is used")
    zero_grads = [item for item in items if _is_zero_grad(draft, item, optimizer)]
    if not zero_grads:
        return Obstacle(step, _zeroed_told(items))
    if (wrong := next((w for zero in zero_grads if (w := _odd_zero_grad(draft, zero)) is not None), None)) is not None:
        return wrong
    lost = next((i for i in items[at_backward:at_step] if any(i is zero for zero in zero_grads)), None)
    if lost is not None:
        return Obstacle(lost.node, "gradients are zeroed between the backward pass and the step")
    rest = [i for i in items if not any(i is zero for zero in zero_grads)]
    at_backward = next(n for n, i in enumerate(rest) if i is items[at_backward])
    at_step = next(n for n, i in enumerate(rest) if i is items[at_step])
    return Step(
        rest[:at_backward], rest[at_backward], rest[at_backward + 1 : at_step], rest[at_step], rest[at_step + 1 :],
        optimizer, zero_grads,
    )  # fmt: skip


def _position(items: list[Item], call: ast.Call) -> int | None:
    for index, item in enumerate(items):
        if item.kind == "statement" and isinstance(item.node, ast.Expr) and item.node.value is call:
            return index
    return None


def _receiver(draft: Draft, item: Item, call: ast.Call) -> Variable | None:
    assert isinstance(call.func, ast.Attribute)
    if (optimizer := scaled_optimizer(draft, call)) is not None:
        return draft.variable(optimizer, item.frame)
    if draft.role(call.func.value, item.frame) is Role.SCALER:
        return None
    return draft.variable(call.func.value, item.frame)


def _is_chosen_anew(draft: Draft, optimizer: Variable) -> bool:
    """Whether the loop binds the optimizer, and not to the same one in every turn."""
    written = draft.variables.sequence(draft.epoch.items).written
    if optimizer not in written:
        return False
    name = ast.Name(optimizer.name, ast.Load())
    taken = taken_out_of(draft, name, written) if optimizer.scope is draft.nest.step_frame.scope else None
    return taken is None or taken[1].startswith("*")


def _other_optimizer(draft: Draft, items: list[Item], optimizer: Variable) -> ast.AST | None:
    for item in items:
        for node, frame in names_in(item):
            if draft.role(node, frame) is Role.OPTIMIZER and draft.variable(node, frame) is not optimizer:
                return node
    return None


def _is_zero_grad(draft: Draft, item: Item, optimizer: Variable) -> bool:
    receiver = zeroed(item)
    if receiver is None:
        return False
    return draft.variable(receiver, item.frame) is optimizer or draft.role(receiver, item.frame) is Role.MODEL


def _zeroed_told(items: list[Item]) -> str:
    nodes = (n for item in items for n in walk(item.node))
    inner = any(isinstance(n, ast.Call) and dotted(n.func).rpartition(".")[2] == "zero_grad" for n in nodes)
    return "gradients are zeroed inside a branch or a block" if inner else "gradients are not zeroed in the batch loop"


def clears_to_none(call: ast.Call) -> bool:
    """Whether a call of ``zero_grad`` leaves None, and no zeros."""
    arguments = [*call.args, *(k.value for k in call.keywords)]
    return all(isinstance(a, ast.Constant) and a.value in (True, None) for a in arguments)


def _odd_zero_grad(draft: Draft, item: Item) -> Obstacle | None:
    call = zero_grad_call(item)
    assert call is not None and isinstance(call.func, ast.Attribute)
    if not clears_to_none(call):
        return Obstacle(call, "gradients are set to zero instead of None")
    if draft.role(call.func.value, item.frame) is Role.MODEL and not holds_every(draft, call.func.value, item):
        return Obstacle(call, "the module's gradients are zeroed, and the optimizer may hold other parameters")
    return None


# ---- automatic


def automatic_obstacle(draft: Draft, step: Step) -> Obstacle | None:
    """What keeps a plain step from automatic optimization, apart from what stands after it."""
    if not begins_with_closure(draft.roles, step.optimizer.name, step.optimizer.scope):
        return Obstacle(
            step.step.node, "its optimizer's `step` does not begin with the closure that Lightning hands it"
        )
    for item in [*step.before, *step.between, *step.after]:
        if item in step.between:
            continue
        if draft.effects_of(item).gradients and item in step.before:
            return Obstacle(item.node, "gradients are touched before the backward pass")
    if (leaving := _begins_with_gradients(draft, step)) is not None:
        return Obstacle(leaving, "what runs before the loop leaves gradients, to which the first batch adds its own")
    for item in [*step.before, *step.between, *step.after]:
        for node in walk_scope(item.node):
            if (
                isinstance(node, ast.Break | ast.Return)
                and item.kind == "statement"
                and node in open_controls(draft, item.node)
            ):
                return Obstacle(node, f"`{type(node).__name__.lower()}` leaves the batch")
            if has_backward_call(node):
                return Obstacle(node, "another gradient computation")
    if (joining := _joins_with_gradients(draft, step)) is not None:
        return Obstacle(
            joining, "parameters join the optimizer, and the script does not clear the gradients they have by then"
        )
    if (reader := _reads_cleared_gradients(draft, step)) is not None:
        return Obstacle(reader, "gradients are read after they were zeroed at the end of the batch")
    for item in [*step.between, *step.after]:
        for node in walk_scope(item.node):
            if isinstance(node, ast.Continue) and _leaves(item.node, node):
                return Obstacle(node, "`continue` after the backward pass")
    return None


def _reads_cleared_gradients(draft: Draft, step: Step) -> ast.AST | None:
    """What would see gradients that the script has zeroed after the step: Lightning zeroes them before backward."""
    if not any(_stands_behind(draft, zero, step.step) for zero in step.zero_grads):
        return None
    for item in [*step.after, *draft.epoch.before, *draft.epoch.after]:
        if draft.effects_of(item).gradients:
            return item.node
    scope = draft.nest.entry.scope
    later = (s for s in statements_after(draft) if draft.effects.of(s, scope).gradients)
    return next((s for s in later if not clears_first(draft, s, step.optimizer)), None)


def _begins_with_gradients(draft: Draft, step: Step) -> ast.AST | None:
    """What leaves gradients before the loop, which Lightning would clear and a script does not that clears behind the step."""
    if not all(_stands_behind(draft, zero, step.backward) for zero in step.zero_grads):
        return None
    return leaves_gradients_before(draft, step.optimizer)


def _stands_behind(draft: Draft, item: Item, other: Item) -> bool:
    return draft.epoch.batch.index(item) > draft.epoch.batch.index(other)


def _joins_with_gradients(draft: Draft, step: Step) -> ast.AST | None:
    """What gives the optimizer more parameters between the script's own zeroing and the backward pass, when Lightning zeroes."""
    items = draft.epoch.batch
    backward = items.index(step.backward)
    earlier = [n for n, item in enumerate(items[:backward]) if item in step.zero_grads]
    if not earlier:
        return next(joining_parameters(draft), None)
    zero = earlier[-1]
    between = [part for item in items[zero:backward] for part, _frame in parts(item)]
    return next((node for node in may_run(draft.source, between) if _joins(node)), None)


def joining_parameters(draft: Draft) -> Iterator[ast.AST]:
    """What may give an optimizer more parameters while the loop runs."""
    return (node for node in runs_in_loop(draft) if _joins(node))


def _joins(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr="add_param_group" | "add_param_groups"):
            return True
        case ast.Subscript(slice=ast.Constant(value="params"), ctx=ast.Store()):
            return True
        case ast.Call(
            func=ast.Attribute(
                value=ast.Subscript(slice=ast.Constant(value="params")) | ast.Attribute(attr="param_groups"),
                attr="append" | "extend" | "insert",
            )
        ):
            return True
    return False


def has_backward_call(node: ast.AST) -> bool:
    """Whether the node itself takes gradients by ``torch.autograd``."""
    return isinstance(node, ast.Call) and "autograd." in dotted(node.func)


def open_controls(draft: Draft, statement: ast.stmt) -> list[ast.AST]:
    """The ``break``, ``continue`` and ``return`` that leave a statement, without those that the Trainer took over."""
    gone = {id(n) for s in draft.removals for n in walk(s)} | {id(s) for s in draft.claims}
    return [c for c in _controls(statement) if id(c) not in gone]


def _leaves(statement: ast.stmt, control: ast.AST) -> bool:
    """Whether a ``break`` or ``continue`` inside the statement belongs to the loop around the statement."""
    return control in _controls(statement)


@remembered
def _controls(statement: ast.stmt) -> list[ast.AST]:
    found: list[ast.AST] = []
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return found

    def visit(node: ast.AST, looped: bool) -> None:
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not looped):
            found.append(node)
        for name, value in ast.iter_fields(node):
            inner = looped or (isinstance(node, ast.For | ast.While) and name == "body")
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(
                    child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
                ):
                    visit(child, inner)

    visit(statement, False)
    return found


def controls(statement: ast.stmt) -> list[ast.AST]:
    """The ``break``, ``continue`` and ``return`` of a statement that leave the statement itself."""
    return _controls(statement)


def place_automatic(draft: Draft, step: Step) -> Obstacle | None:
    """Give every item of the batch its hook; nothing is placed when an obstacle comes back."""
    training = [*step.before, step.backward]
    before_step: list[Item] = []
    graph = _graph_keys(draft, step.before)
    takers = takers_around(draft.source, draft.nest.outermost)
    for item in step.between:
        if not _movable(draft, item, graph, takers) or depends(draft, item, before_step):
            before_step.append(item)
        else:
            training.append(item)
    tail: list[Item] = []
    stepped = False
    for item in step.after:
        if _is_scheduler_step(draft, item):
            stepped = True
            tail.append(item)
            continue
        effects = draft.effects_of(item)
        late = any(not _is_scheduler_step(draft, i) for i in tail) or (stepped and effects.learning_rate)
        late = late or depends(draft, item, [*before_step, *tail])
        if late or not _movable(draft, item, graph, takers):
            tail.append(item)
        else:
            training.append(item)
    if (tail or before_step) and any(
        isinstance(c, ast.Continue) for i in step.before for c in open_controls(draft, i.node)
    ):
        return Obstacle(step.backward.node, "a skipped batch would still run what follows the step")
    if has_loop_carried_loss(draft, step):
        return Obstacle(step.backward.node, "the loss may hold what earlier batches have added to it")
    _choose_return(draft, step, [i for i in training if i not in step.before and i is not step.backward])
    draft.hooks[TRAINING_STEP] = training
    if before_step:
        draft.hooks[BEFORE_STEP] = before_step
    if tail:
        draft.hooks[BATCH_END] = tail
    draft.removals[step.backward.node] = Removal(
        "automatic optimization", "backward", "Lightning runs backward on the returned loss"
    )
    draft.removals[step.step.node] = Removal(
        "automatic optimization", "optimizer_step", "Lightning steps the optimizer after backward"
    )
    for item in step.zero_grads:
        draft.removals[item.node] = Removal(
            "automatic optimization", "zero_grad", "Lightning zeroes the gradients before backward"
        )
    draft.returned_at = step.backward.node
    return None


def depends(draft: Draft, item: Item, others: list[Item]) -> bool:
    """Whether an item reads or changes what others change, or changes what they read: then their order must stay."""
    if not others:
        return False
    if any(draft.effects_of(i).clock for i in (item, *others)):  # nothing leaves the time that is measured
        return True
    use, theirs = draft.variables.use(item), draft.variables.sequence(others)
    if _acts_outside(item) and any(_acts_outside(other) for other in others):
        return True
    if draft.effects_of(item).rng and any(draft.effects_of(other).rng for other in others):
        return True
    changed = {(v.scope, v.name) for v in use.written} | draft.effects_of(item).mutates | _receivers(draft, item)
    read = {(v.scope, v.name) for v in use.read}
    they_change = {(v.scope, v.name) for v in theirs.written}
    for other in others:
        they_change |= draft.effects_of(other).mutates | _receivers(draft, other)
    they_read = {(v.scope, v.name) for v in theirs.read}
    return bool(changed & (they_read | they_change) or read & they_change)


_CONTAINER_METHODS = {
    "append",
    "extend",
    "update",
    "add",
    "insert",
    "clear",
    "pop",
    "setdefault",
    "item",
    "step",
    "backward",
    "zero_grad",
}


def _acts_outside(item: Item) -> bool:
    """Whether the item may print, log or save: two such items keep their order."""
    for node in (n for part, _frame in parts(item) for n in walk_scope(part)):
        if isinstance(node, ast.Call) and dotted(node.func) in ("print", "input", "open"):
            return True
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            last = dotted(node.value.func).rpartition(".")[2]
            if last not in _CONTAINER_METHODS and not last.endswith("_"):
                return True
    return False


def _receivers(draft: Draft, item: Item) -> set[Key]:
    """Names whose object a bare method call may change: ``losses.append(...)``, ``meter.update(...)``."""
    found: set[Key] = set()
    for node in walk_scope(item.node):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
        ):
            name = root_name(node.value.func)
            if name not in draft.roles.origins and (key := draft.roles.key(item.frame.scope, name)):
                found.add(key)
    return found


def has_loop_carried_loss(draft: Draft, step: Step) -> bool:
    """Whether backward is called on something built up over several batches."""
    names = {n.id for n in walk(loss_of(draft, draft.nest.backwards[0])) if isinstance(n, ast.Name)}
    use = draft.variables.sequence(step.before)
    loop = draft.nest.batches.node if draft.nest.batches is not None else None
    target = walk(loop.target) if isinstance(loop, ast.For) else ()
    given = {draft.variables.of(draft.nest.inner, n.id) for n in target if isinstance(n, ast.Name)}
    for name in names:
        variable = draft.variables.of(draft.nest.step_frame, name)
        if variable in use.exposed and variable in use.written and variable not in given:
            return True
    return False


def _choose_return(draft: Draft, step: Step, moved: list[Item]) -> None:
    draft.returned = loss_of(draft, draft.nest.backwards[0])
    use = draft.variables.sequence(moved)
    names = {n.id for n in walk(draft.returned) if isinstance(n, ast.Name)}
    variables = {draft.variables.of(step.backward.frame, name) for name in names}
    written = {draft.variables.find(v) for v in use.written}
    mutated = {key for item in moved for key in draft.effects_of(item).mutates}
    keys = {(v.scope, v.name) for v in variables if v}
    if (variables & written) or (mutated & keys) or (moved and not isinstance(draft.returned, ast.Name)):
        taken = set(draft.source.names)
        fresh = "loss" if "loss" not in taken else "batch_loss"
        while fresh in taken:
            fresh += "_"
        draft.returned_name = fresh


def _graph_keys(draft: Draft, before: list[Item]) -> set[Key]:
    """Names that may take part in the graph: read or bound before backward, except by ``+=`` alone."""
    found: set[Key] = set()
    for item in before:
        scope = item.frame.scope
        plain = item.node
        if item.kind == "statement" and isinstance(plain, ast.AugAssign):
            found |= {k for n in walk(plain.value) if isinstance(n, ast.Name) and (k := draft.roles.key(scope, n.id))}
            continue
        for node in walk_scope(plain):
            if isinstance(node, ast.Name) and (key := draft.roles.key(scope, node.id)):
                found.add(key)
    loop = draft.nest.batches
    if loop is not None:
        for node in walk(loop.items):
            if isinstance(node, ast.Name) and (key := draft.roles.key(draft.nest.inner.scope, node.id)):
                found.add(key)
    return found


def _movable(draft: Draft, item: Item, graph: set[Key], takers: Takers) -> bool:
    """Whether an item that stands after backward may run before it: it must not read what backward and step change."""
    effects = draft.effects_of(item)
    if effects.model or effects.mode or effects.gradients or effects.optimizer or _hands_on_unknown(draft, item):
        return False
    if effects.clock:  # what it measures would be another thing
        return False
    if any(draft.effects.meets_hooks(part, frame.scope) for part, frame in parts(item)):
        return False
    code = [part for part, _frame in parts(item)]
    if takers.take(raised_by(draft.source, code)) or takers.await_from(draft.source, code):
        return False
    if takers.may_see(draft.source, code):
        return False  # whoever takes it would miss the step
    if effects.mutates & graph:
        return False
    if item.kind == "statement":
        if open_controls(draft, item.node):
            return False
        if isinstance(item.node, ast.Delete):
            return all(isinstance(t, ast.Name) for t in item.node.targets)
    return True


def _hands_on_unknown(draft: Draft, item: Item) -> bool:
    """Whether the item gives a thing of unknown kind from before the loop to a function that cannot be seen."""
    for node, frame in ((n, frame) for part, frame in parts(item) for n in walk_scope(part)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
            continue
        head = root_name(node.func)
        origin = draft.roles.origins.get(head, "")
        if (
            not origin
            or origin.partition(".")[0] in sys.stdlib_module_names
            or origin.partition(".")[0] in KNOWN_PACKAGES | NO_TORCH_RNG
        ):
            continue
        for argument in [*node.args, *(k.value for k in node.keywords)]:
            variable = draft.variable(argument, frame)
            if variable is not None and _may_hold_a_model(draft, variable):
                return True
    return False


def _may_hold_a_model(draft: Draft, variable: Variable) -> bool:
    key = (variable.scope, variable.name)
    if draft.roles.role_of(key) is not None:
        return False
    bindings = draft.roles.bindings(key)
    inside = {id(n) for n in walk(draft.nest.outermost)}
    if is_attribute(variable.name):
        return not bindings or any(not isinstance(b.value, _NO_OBJECTS) for b in bindings)
    if any(id(b.statement) in inside for b in bindings) or variable.frame is None or variable.frame.caller is not None:
        return False
    if not bindings:
        return not isinstance(variable.scope, ast.Module)
    return any(isinstance(b.value, ast.Call) for b in bindings)


_NO_OBJECTS = (ast.Constant, ast.BinOp, ast.Compare, ast.JoinedStr)


def _is_scheduler_step(draft: Draft, item: Item) -> bool:
    node = item.node
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=receiver, attr="step"))):
            return item.kind == "statement" and draft.role(receiver, item.frame) is Role.SCHEDULER
    return False


def is_scheduler_step(draft: Draft, item: Item) -> bool:
    """Whether the item is ``scheduler.step(...)``."""
    return _is_scheduler_step(draft, item)


def reads_gradients(draft: Draft) -> bool:
    """Whether a batch looks at gradients itself, besides clearing, computing and using them."""
    return any(
        draft.effects_of(item).gradients and _reads_gradients(draft, item.node, item) for item in draft.epoch.batch
    )


def reads_gradients_at(draft: Draft, item: Item) -> bool:
    """Whether a statement looks at gradients itself, besides clearing, computing and using them."""
    return _reads_gradients(draft, item.node, item)


def _reads_gradients(draft: Draft, node: ast.AST, item: Item) -> bool:
    if not draft.effects.of(node, item.frame.scope).gradients:
        return False
    match node:
        case ast.If(test=head) | ast.For(iter=head) | ast.While(test=head):
            inner = [s for block in blocks(node) for s in block]
            return any(_reads_gradients(draft, part, item) for part in (head, *inner))
        case ast.With(items=entered, body=body):
            return any(_reads_gradients(draft, part, item) for part in (*(i.context_expr for i in entered), *body))
        case ast.Expr(value=value):
            plain = (
                any(value is step for step in draft.nest.steps) or zero_grad_call(Item(node, item.frame)) is not None
            )
            return not plain and not _runs_backward(draft, node)
    return True


def _runs_backward(draft: Draft, node: ast.AST) -> bool:
    held = {id(c) for c in draft.nest.backwards}
    return has_backward(node) or any(id(n) in held for n in walk(node))


def optimizer_names(draft: Draft) -> list[ast.expr]:
    """The receivers of the nest's steps, each once, in source order."""
    seen: dict[str, ast.expr] = {}
    for call in draft.nest.steps:
        if is_held(call):
            for argument in [*call.args, *(k.value for k in call.keywords)]:
                if draft.role(argument, draft.nest.step_frame) is Role.OPTIMIZER:
                    seen.setdefault(ast.unparse(argument), argument)
            for name in optimizers_inside(draft.roles, call, draft.nest.step_frame.scope):
                seen.setdefault(name.id, name)
            continue
        assert isinstance(call.func, ast.Attribute)
        receiver = stepped_optimizer(draft.roles, call, draft.nest.step_frame.scope)
        seen.setdefault(ast.unparse(receiver), receiver)
    return list(seen.values())
