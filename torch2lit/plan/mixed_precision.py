"""Autocast and a gradient scaler become the Trainer's ``precision``, where Lightning casts and scales exactly the same.

    with torch.autocast("cpu", dtype=torch.bfloat16):       loss = criterion(model(x), y)
        loss = criterion(model(x), y)                       return loss
    scaler.scale(loss).backward()                       →
    scaler.step(optimizer)                                  Trainer(precision="bf16-mixed")
    scaler.update()

Lightning runs the whole ``training_step`` and ``validation_step`` under autocast, and does not remember the weights that it has cast. So
the script's own lines stay where a weight is used twice in a step, and where anything that counts is computed outside of autocast. A validation that the script does not
run under the same autocast has it switched off.
Source: https://lightning.ai/docs/pytorch/stable/common/precision_intermediate.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.closed_functions import runs_no_module
from ..recover.items import Item
from ..recover.nest import Frame
from ..recover.phases import find_validation
from ..recover.roles import Role
from ..recover.stepping import is_held
from ..recover.syntax import Scope, dotted, root_name, walk, walk_statements
from ..recover.variables import Variable
from ..recover.weight_kinds import CASTS, Kind
from ..recover.weights import kind_of, used_twice
from .autocast import NotKnown, Switch, find_autocast, find_scaler, is_autocast, precision_of
from .draft import TRAINING_STEP, VALIDATION_STEP, Draft, Mixed, Removal
from .indifferent import autocast_matters
from .placement import placement
from .zeroing import only_zeroes

_CODEMOD = "mixed_precision"
_TARGET = "Trainer(precision=...)"
_HARMLESS = {"zero_grad", "train", "eval", "parameters", "named_parameters", "state_dict", "requires_grad_", "modules"}
_LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp, ast.Lambda, ast.FunctionDef)


class _Kept(Exception):
    """The script's own lines stay; the text says why."""

    def __init__(self, node: ast.AST, reason: str) -> None:
        super().__init__(reason)
        self.node = node
        self.reason = reason


def try_mixed(draft: Draft) -> Draft | None:
    """The draft for the Trainer's precision: its batch stands without autocast and scaler. None when they stay."""
    try:
        mixed = _find(draft)
    except _Kept as kept:
        _note(draft, kept)
        return None
    if mixed is None:
        return None
    draft = draft.fork()
    gone = set(mixed.scaler)
    draft.epoch.batch = [i for i in _unwrapped(draft.epoch.batch, mixed.block) if i.node not in gone]
    draft.mixed = mixed
    if mixed.block is not None:
        draft.removals[mixed.block] = Removal(_TARGET, _CODEMOD, "Lightning runs the step under the same autocast")
    for statement in mixed.scaler:
        draft.removals[statement] = Removal(
            _TARGET, _CODEMOD, "Lightning scales and unscales the gradients, or nobody does"
        )
    if mixed.made is not None:
        draft.removals[mixed.made] = Removal(_TARGET, _CODEMOD, "Lightning has a scaler of its own where one is needed")
    if mixed.precision:
        draft.trainer = draft.trainer.set("precision", mixed.precision)
    draft.idioms.append(_CODEMOD)
    return draft


def keeps_precision(draft: Draft) -> bool:
    """Whether every statement has the same precision in its hook; a note says what keeps the script's own lines."""
    if (kept := _changes(draft)) is not None:
        _note(draft, kept)
    return kept is None


def note_mixed_kept(draft: Draft) -> None:
    """Say that the script's own lines stay, because the batch is not optimized automatically."""
    if draft.mixed is not None and (node := draft.mixed.block or draft.mixed.made) is not None:
        _note(draft, _Kept(node, "Lightning does not run backward and step here"))


def unwrap_validation(draft: Draft) -> None:
    """Take the autocast away from around what a validation batch does."""
    if draft.mixed is None or draft.mixed.around is None or draft.validation is None:
        return
    around = draft.mixed.around
    draft.hooks[VALIDATION_STEP] = _unwrapped(draft.hooks[VALIDATION_STEP], around)
    draft.removals[around] = Removal(_TARGET, _CODEMOD, "Lightning runs the validation under the same autocast")


def _note(draft: Draft, kept: _Kept) -> None:
    what = "the scaler" if not isinstance(kept.node, ast.With) else "autocast"
    draft.note("precision-kept", kept.node, f"{what} stays in the step: {kept.reason}")


def _unwrapped(items: list[Item], block: ast.With | None) -> list[Item]:
    found: list[Item] = []
    for item in items:
        if item.kind == "statement" and item.node is block and block is not None:
            found += [Item(s, item.frame, parent=block, guard=item.guard) for s in block.body]
        else:
            found.append(item)
    return found


# ---- what is there


def _find(draft: Draft) -> Mixed | None:
    nest = draft.nest
    scaler = _scaler_of(draft)
    blocks = [(i, s) for i in draft.epoch.batch if (s := _opened(draft, i)) is not None]
    hidden = [c for i in draft.epoch.batch for c in _autocasts(draft, i) if i not in [b for b, _s in blocks]]
    if not blocks and not hidden and scaler is None:
        return None
    if draft.options.precision is not None:
        return None  # the option decides, and what it means beside the script's own precision is another finding
    if len(nest.backwards) != 1 or len(nest.steps) != 1:
        raise _Kept(blocks[0][0].node if blocks else nest.sites[0], "a batch has several backward passes or steps")
    held = next((c for c in nest.steps if is_held(c)), None)
    if held is not None:
        raise _Kept(blocks[0][0].node if blocks else held, f"`{ast.unparse(held.func)}` holds the optimizer's step")
    if hidden:
        raise _Kept(hidden[0], "autocast is opened inside a branch or a block")
    if len(blocks) > 1:
        raise _Kept(blocks[1][0].node, "autocast is opened more than once in a batch")
    item, switch = blocks[0] if blocks else (None, None)
    block = item.node if item is not None else None
    assert block is None or isinstance(block, ast.With)
    if block is not None and any(isinstance(n, ast.Continue | ast.Break | ast.Return) for n in walk(block)):
        raise _Kept(block, "the block is left early")
    made: ast.stmt | None = None
    of_scaler: tuple[ast.stmt, ...] = ()
    scaler_switch: Switch | None = None
    if (leaf := _leaf_made(draft)) is not None:
        raise _Kept(block or leaf, "a batch asks for gradients of something besides weights")
    if scaler is not None:
        made, of_scaler, scaler_switch = _scaler_statements(draft, *scaler)
    where: ast.AST = block if block is not None else nest.sites[0]
    frame = item.frame if item is not None else nest.step_frame
    try:
        precision = precision_of(
            draft,
            switch,
            scaler_switch,
            frame,
            draft.source.scope_of(made) if made is not None else nest.entry.scope,
            placement(draft).accelerator,
        )
    except NotKnown as reason:
        raise _Kept(where, str(reason)) from reason
    around, full = None, False
    if precision:
        assert block is not None
        _check_models(draft, block)
        around, full = _validation(draft, block, switch)
    return Mixed(precision, block, around, full, of_scaler, made)


def _leaf_made(draft: Draft) -> ast.AST | None:
    """What makes a tensor of the batch one that gets gradients: its casts are remembered just as those of weights."""
    for item in draft.epoch.batch:
        for node in walk(item.node):
            match node:
                case (
                    ast.Attribute(attr="requires_grad_" | "requires_grad" | "retain_grad")
                    | ast.keyword(arg="requires_grad")
                ):
                    return item.node
    return None


def _autocasts(draft: Draft, item: Item) -> list[ast.AST]:
    if item.kind != "statement":
        return []
    scope = item.frame.scope
    opened = [w for w in walk(item.node) if isinstance(w, ast.With) and _opens(draft, w, scope)]
    return [*opened, *(n for n in walk(item.node) if is_autocast(n))]


def _opens(draft: Draft, node: ast.With, scope: Scope) -> bool:
    return any(find_autocast(draft, i.context_expr, scope) is not None for i in node.items)


def _opened(draft: Draft, item: Item) -> Switch | None:
    """The autocast that the item's `with` opens and nothing else."""
    node = item.node
    if item.kind != "statement" or not isinstance(node, ast.With) or len(node.items) != 1:
        return None
    return find_autocast(draft, node.items[0].context_expr, item.frame.scope)


# ---- the scaler


def _scaler_of(draft: Draft) -> tuple[ast.Name, Frame] | None:
    """The scaler that makes the nest's step."""
    for call in draft.nest.steps:
        if (
            isinstance(call.func, ast.Attribute)
            and not is_held(call)
            and draft.role(call.func.value, draft.nest.step_frame) is Role.SCALER
        ):
            if not isinstance(call.func.value, ast.Name):
                raise _Kept(call, "the scaler is not a plain variable")
            return call.func.value, draft.nest.step_frame
    return None


def _scaler_statements(draft: Draft, name: ast.Name, frame: Frame) -> tuple[ast.stmt, tuple[ast.stmt, ...], Switch]:
    """How the scaler is made, and its ``unscale_`` and ``update`` in a batch. Raises when it is used in any other way."""
    nest = draft.nest
    variable = draft.variables.of(frame, name.id)
    bindings = draft.roles.bindings((variable.scope, variable.name)) if variable is not None else []
    if variable is None or variable.frame not in (None, nest.entry) or len(bindings) != 1:
        raise _Kept(name, "it is not made once before the loop")
    made, switch = bindings[0].statement, find_scaler(draft, bindings[0].value)
    plain = isinstance(made, ast.Assign) and len(made.targets) == 1 and isinstance(made.targets[0], ast.Name)
    if switch is None or bindings[0].index is not None or not plain:
        raise _Kept(name, "it is not one of torch's own, made by itself")
    if not _lives_with_training(draft, made):
        raise _Kept(name, "it goes on from one training to the next")
    places = {id(n) for i in draft.epoch.batch for n in walk(i.node)}
    statements: list[ast.stmt] = []
    scaled = unscaled = updated = None
    for node in draft.source.all(ast.Name):
        if not isinstance(node.ctx, ast.Load) or draft.roles.key(draft.source.scope_of(node), node.id) not in _keys(
            draft, variable
        ):
            continue
        call = _method_call(draft, node)
        statement = draft.source.statement_of(node)
        if call is None or id(node) not in places:
            if _is_passed_on(draft, node):
                continue
            raise _Kept(node, f"`{ast.unparse(statement).splitlines()[0][:60]}` uses it as well")
        assert isinstance(call.func, ast.Attribute)
        how = call.func.attr
        if how == "scale" and _is_backward(draft, call):
            scaled = statement
        elif how == "is_enabled" and _switches_autocast(draft, call):
            pass  # goes with the autocast
        elif how == "step" and call is nest.steps[0] and len(call.args) == 1 and not call.keywords:
            pass
        elif how == "unscale_" and isinstance(statement, ast.Expr) and statement.value is call and len(call.args) == 1:
            if ast.unparse(call.args[0]) != ast.unparse(nest.steps[0].args[0]):
                raise _Kept(call, "it unscales another optimizer's gradients")
            unscaled = statement
            statements.append(statement)
        elif how == "update" and isinstance(statement, ast.Expr) and statement.value is call and not call.args:
            updated = statement
            statements.append(statement)
        else:
            raise _Kept(call, f"`{ast.unparse(call)[:60]}` has no twin in Lightning")
    if scaled is None or updated is None or len(statements) > 2:
        raise _Kept(name, "it does not scale, step and update once per batch")
    _check_order(draft, scaled, unscaled, updated)
    return made, tuple(statements), switch


def _lives_with_training(draft: Draft, made: ast.stmt) -> bool:
    """Whether each training has a scaler of its own: Lightning's begins anew with every `fit`."""
    source, entry = draft.source, draft.nest.entry.scope
    around = {a for a in source.ancestors(made) if isinstance(a, ast.For | ast.While)}
    if any(a not in around for a in source.ancestors(draft.nest.outermost) if isinstance(a, ast.For | ast.While)):
        return False
    if source.scope_of(made) is entry or isinstance(entry, ast.Module):
        return True
    calls = source.calls_to(entry.name)
    return len(calls) == 1 and not any(isinstance(a, ast.For | ast.While) for a in source.ancestors(calls[0]))


def _keys(draft: Draft, variable: Variable) -> set[tuple[Scope, str]]:
    """The names under which the nest's functions know the scaler."""
    found = {(variable.scope, variable.name)}
    frame: Frame | None = draft.nest.step_frame
    while frame is not None and frame.caller is not None:
        for name in sorted(frame.arguments):
            if draft.variables.of(frame, name) is variable:
                found.add((frame.scope, name))
        frame = frame.caller
    return found


def _switches_autocast(draft: Draft, call: ast.Call) -> bool:
    keyword = draft.source.parents.get(call)
    above = draft.source.parents.get(keyword) if isinstance(keyword, ast.keyword) else None
    return above is not None and is_autocast(above)


def _method_call(draft: Draft, node: ast.Name) -> ast.Call | None:
    parent = draft.source.parents[node]
    above = draft.source.parents[parent]
    if isinstance(parent, ast.Attribute) and isinstance(above, ast.Call) and above.func is parent:
        return above
    return None


def _is_passed_on(draft: Draft, node: ast.Name) -> bool:
    """Whether the name is only an argument of a call that becomes the hooks."""
    frames = draft.nest.entered
    calls = [f.call for f in frames if f.call is not None]
    return any(node in [*c.args, *(k.value for k in c.keywords)] for c in calls)


def _is_backward(draft: Draft, call: ast.Call) -> bool:
    backward = draft.nest.backwards[0]
    assert isinstance(backward.func, ast.Attribute)
    return backward.func.value is call and len(call.args) == 1 and not call.keywords


def _check_order(draft: Draft, scaled: ast.stmt, unscaled: ast.stmt | None, updated: ast.stmt) -> None:
    """Lightning unscales at once after backward, and updates at once after the step."""
    order = [s for i in draft.epoch.batch for s in walk_statements([i.node])]
    step = next((s for s in order if isinstance(s, ast.Expr) and s.value is draft.nest.steps[0]), None)
    if step is None or scaled not in order or updated not in order:
        raise _Kept(draft.nest.steps[0], "the scaler's step does not stand by itself")
    at_scale, at_step = order.index(scaled), order.index(step)
    if not at_scale < at_step < order.index(updated):
        raise _Kept(updated, "the scaler does not step before it updates")
    for place in range(at_scale + 1, at_step):
        statement = order[place]
        if unscaled is not None and order.index(unscaled) <= place:
            break
        item = Item(statement, draft.nest.step_frame)
        if not isinstance(statement, ast.If) and draft.effects_of(item).gradients and statement is not unscaled:
            if not only_zeroes(draft, item):
                raise _Kept(statement, "gradients are used while they are scaled")


# ---- weights


def _check_models(draft: Draft, block: ast.With) -> None:
    """Raises unless the block runs every model once, and each of its weights once."""
    calls: dict[Variable, str] = {}
    for item in draft.epoch.batch:
        if item.node is not block or item.kind != "statement":
            continue
        for node in walk(block):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if (found := _model_call(draft, item, node)) is not None:
                    variable, method = found
                    if variable in calls:
                        raise _Kept(block, f"`{node.id}` runs more than once in a batch")
                    if any(isinstance(a, _LOOPS) for a in _above(draft, node, block)):
                        raise _Kept(block, f"`{node.id}` runs in a loop")
                    calls[variable] = method
                    if reason := used_twice(draft.roles, node, item.frame.scope, method):
                        raise _Kept(block, reason)
            elif isinstance(node, ast.Call):
                _check_call(draft, item, node, block)


def _above(draft: Draft, node: ast.AST, top: ast.AST) -> Iterator[ast.AST]:
    for ancestor in draft.source.ancestors(node):
        if ancestor is top:
            return
        yield ancestor


def _model_call(draft: Draft, item: Item, node: ast.Name) -> tuple[Variable, str] | None:
    """The model that a name runs and by which method; None when it does not run one. Raises for any other use of a model."""
    role = draft.role(node, item.frame)
    variable = draft.variable(node, item.frame)
    key = draft.roles.key(item.frame.scope, node.id)
    if variable is None or not (role in (Role.MODEL, Role.CRITERION) or key in draft.effects.models):
        return None
    parent = draft.source.parents[node]
    if role is Role.CRITERION:
        if kind_of(draft.roles, node, item.frame.scope) in (Kind.FREE, Kind.PLAIN):
            return None
        if isinstance(parent, ast.Call) and parent.func is node:
            return variable, "forward"
    method = "forward"
    while isinstance(parent, ast.Attribute):
        if parent.attr in _HARMLESS:
            return None
        if parent.attr != "module":
            method = parent.attr
        node_above = draft.source.parents[parent]
        if isinstance(node_above, ast.Call) and node_above.func is parent:
            return variable, method
        parent = node_above
    if isinstance(parent, ast.Call) and parent.func is node:
        return variable, "forward"
    if isinstance(draft.source.parents[node], ast.Attribute) and _only_reads(draft, parent):
        return None
    raise _Kept(draft.source.statement_of(node), f"`{node.id}` is handed on to code that may run it")


def _only_reads(draft: Draft, user: ast.AST) -> bool:
    """Whether what a model holds is compared, or given to a function of torch's that multiplies no matrices."""
    if isinstance(user, ast.Call):
        full = draft.roles.full_name(user.func)
        return full.startswith("torch.") and full.rpartition(".")[2] not in CASTS
    return isinstance(user, ast.Compare)


def _check_call(draft: Draft, item: Item, call: ast.Call, block: ast.With) -> None:
    """Raises for a call in the block that may run a model which cannot be seen."""
    function, roles, scope = call.func, draft.roles, item.frame.scope
    head = root_name(function)
    module = roles.full_name(function).partition(".")[0]
    if head in roles.origins:
        if not module:
            return  # a method of what such a function gives
        if module in ("torch", "math", "numpy", "time") or dotted(function).rpartition(".")[2] in (
            "rearrange",
            "repeat",
        ):
            return
        if runs_no_module(roles, function):
            return
        raise _Kept(block, f"it cannot be seen what `{ast.unparse(function)}` runs")
    if isinstance(function, ast.Name):
        if (own := draft.source.function(function.id)) is not None:
            if draft.effects.touched(function, scope) & draft.effects.models or _may_hold(draft, own):
                raise _Kept(block, f"`{function.id}` may run a model")
            return
        if roles.key(scope, function.id) is None:
            return
    variable = draft.variables.of(item.frame, head) if head else None
    if variable is None and head:
        raise _Kept(block, f"it cannot be seen what `{ast.unparse(function)[:40]}` runs")
    if variable is None or roles.role_of((variable.scope, variable.name)) in (Role.MODEL, Role.CRITERION, Role.DEVICE):
        return
    written = draft.variables.sequence(draft.epoch.batch).written | _batch_variables(draft)
    if isinstance(function, ast.Attribute) and function.attr == "append" and _is_list_or_number(draft, variable):
        return
    if variable not in written and roles.role_of((variable.scope, variable.name)) is not Role.SCALER:
        raise _Kept(block, f"it cannot be seen what `{ast.unparse(function)[:40]}` runs")


def _is_list_or_number(draft: Draft, variable: Variable) -> bool:
    """Whether a name only ever stands for lists and for numbers of NumPy's: a list that an epoch fills and then averages."""
    key = (variable.scope, variable.name)
    bindings = draft.roles.bindings(key)
    return bool(bindings) and not draft.roles.rebound_unseen(key) and all(
        b.index is None
        and (
            isinstance(b.value, ast.List | ast.ListComp)
            or (isinstance(b.value, ast.Call) and draft.roles.full_name(b.value.func).startswith("numpy."))
        )
        for b in bindings
    )  # fmt: skip


def _may_hold(draft: Draft, function: ast.FunctionDef) -> bool:
    return any(isinstance(n, ast.Name) and draft.roles.role(function, n.id) is Role.MODEL for n in walk(function))


def _batch_variables(draft: Draft) -> frozenset[Variable]:
    loop = draft.nest.batches
    if loop is None:
        return frozenset()
    names = [n.id for n in walk(loop.items) if isinstance(n, ast.Name)]
    return frozenset(v for n in names if (v := draft.variables.of(draft.nest.inner, n)) is not None)


# ---- validation


def _validation(draft: Draft, block: ast.With, switch: Switch | None) -> tuple[ast.With | None, bool]:
    """The `with` around all of a validation batch that counts; True without it, when full precision has to be asked for."""
    found = (
        find_validation(draft.source, draft.roles, draft.nest, list(draft.epoch.after)) if draft.nest.batches else None
    )
    around: ast.With | None = None
    for item in found.body if found is not None else []:
        other = _opened(draft, item)
        if other is not None and around is None and isinstance(item.node, ast.With) and _same(switch, other):
            around = item.node
        elif autocast_matters(draft, item):
            if draft.roles.origins.get("torch") != "torch":
                raise _Kept(block, "the validation is not under the same autocast")
            return None, True
    return around, False


def _same(one: Switch | None, other: Switch) -> bool:
    if one is None or one.device != other.device or set(one.given) != set(other.given):
        return False
    texts = [
        [ast.unparse(s.given[n]) for n in sorted(s.given)] + [f"{ast.unparse(t)} {w}" for t, w in s.tests]
        for s in (one, other)
    ]
    return texts[0] == texts[1]


# ---- where the statements have gone


def _changes(draft: Draft) -> _Kept | None:
    """The first statement that has another precision in its hook than in the script."""
    mixed = draft.mixed
    assert mixed is not None
    if not mixed.precision:
        return None
    assert mixed.block is not None
    training = draft.hooks.get(TRAINING_STEP, [])
    for item in draft.all_items():
        inside = item.parent is mixed.block
        if item.node in draft.removals and not isinstance(item.node, ast.With) and item.kind == "statement":
            continue
        if (item in training) is not inside and (matters := autocast_matters(draft, item)):
            where = "under autocast" if inside else "outside of autocast"
            return _Kept(mixed.block, f"`{matters}` runs {where}")
    return None
