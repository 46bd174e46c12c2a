"""What a checkpoint of Lightning's holds beside the weights of one model, and what still changes them before it is written."""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.loops import Iterable, loop_names
from ..recover.role import Role
from ..recover.stepping import is_held
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .epoch_values import sequence_of
from .scaled import scaled_optimizer

_STATELESS = {Role.OPTIMIZER, Role.SCHEDULER, Role.LOADER, Role.DEVICE, Role.CONFIG, Role.SCALER, Role.WRITER, Role.BAR}
_ONLY_READ = {"torch.save", "print", "os.path.join", "float", "int", "str", "round", "len", "vars"}


def is_epoch_counter(draft: Draft, node: ast.expr, item: Item) -> bool:
    """Whether a name is the epoch loop's own counter, and nothing in the loop gives it another value."""
    epochs = draft.nest.epochs
    if not isinstance(node, ast.Name) or epochs is None or node.id not in loop_names(epochs):
        return False
    variable = draft.variables.of(item.frame, node.id)
    if variable is None or variable is not draft.variables.of(draft.nest.entry, node.id):
        return False
    return variable not in draft.variables.sequence(draft.all_items()).written


def counts_from_zero(draft: Draft, node: ast.expr, item: Item) -> bool:
    """Whether a name is the epoch loop's own counter, from 0 in steps of 1."""
    return first_epoch(draft, node, item) == 0


def first_epoch(draft: Draft, node: ast.expr, item: Item) -> int | None:
    """The number from which the epoch loop's own counter counts in steps of 1; None for what is none, or starts elsewhere."""
    epochs = draft.nest.epochs
    if not is_epoch_counter(draft, node, item) or epochs is None or not isinstance(node, ast.Name):
        return None
    if epochs.index == node.id:
        return 0 if epochs.first is None else _whole(epochs.first)
    if epochs.index is not None or epochs.kind is not Iterable.RANGE or sequence_of(draft, epochs) is not None:
        return None
    match epochs.base:
        case ast.Call(args=[_], keywords=[]):
            return 0
        case ast.Call(args=[first, _], keywords=[]):
            return _whole(first)
    return None


def _whole(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def changes_weights(draft: Draft, statement: ast.stmt, item: Item) -> bool:
    """Whether a statement may change weights or buffers: it reaches a model otherwise than to read its state."""
    scope = item.frame.scope
    if not draft.effects.of(statement, scope).model:
        return False
    for node in walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(attr="state_dict" | "format")):
                continue
            case ast.Call(func=function):
                if draft.roles.full_name(function) not in _ONLY_READ:
                    return True
            case ast.Name(id=name) if draft.roles.role(scope, name) is Role.MODEL:
                parent = draft.source.parents[node]
                if not (isinstance(parent, ast.Attribute) and parent.attr == "state_dict"):
                    return True
    return False


def is_the_optimizer(draft: Draft, node: ast.expr, item: Item) -> bool:
    """Whether a name is the optimizer of the one step of the training."""
    if len(draft.nest.steps) != 1 or is_held(draft.nest.steps[0]):
        return False
    call = draft.nest.steps[0]
    assert isinstance(call.func, ast.Attribute)
    stepped = draft.variable(scaled_optimizer(draft, call) or call.func.value, draft.nest.step_frame)
    return stepped is not None and stepped is draft.variable(node, item.frame)


def is_all_state(draft: Draft, model: ast.expr, item: Item) -> bool:
    """Whether all else that the hooks read from outside keeps its state in training, or has none that a module would save."""
    own = draft.variable(model, item.frame)
    used = draft.variables.sequence(draft.all_items())
    given = used.written | looped(draft)
    return all(v is own or (_holds_no_model(draft, v) if v in given else keeps_state(draft, v)) for v in used.read)


def looped(draft: Draft) -> set[Variable]:
    """What the loops give their names in every turn."""
    nest = draft.nest
    loops = [(loop, frame) for loop, frame in ((nest.epochs, nest.entry), (nest.batches, nest.inner)) if loop]
    loops += [(one.loop, one.frame) for one in draft.validation.all] if draft.validation is not None else []
    return {v for loop, frame in loops for name in loop_names(loop) if (v := draft.variables.of(frame, name))}


def _holds_no_model(draft: Draft, variable: Variable) -> bool:
    key = draft.roles.key(variable.scope, variable.name)
    if key is None:
        return True
    bindings = draft.roles.bindings(key)
    if bindings and all(isinstance(b.value, ast.Dict | ast.List | ast.Constant) for b in bindings):
        return True
    return key not in draft.effects.models and draft.roles.role(*key) is not Role.MODEL


def keeps_state(draft: Draft, variable: Variable) -> bool:
    """Whether nothing in training changes what it is."""
    key = draft.roles.key(variable.scope, variable.name)
    if key is None:
        return True
    if draft.roles.role(*key) in _STATELESS:
        return True
    bindings = draft.roles.bindings(key)
    return bool(bindings) and all(_has_none(draft, b.value) for b in bindings)


def _has_none(draft: Draft, value: ast.expr) -> bool:
    """Whether a value is a plain one, or a loss of torch's own, whose tensors no training changes."""
    match value:
        case ast.Constant() | ast.JoinedStr():
            return True
        case ast.UnaryOp(operand=inner):
            return _has_none(draft, inner)
        case ast.BinOp(left=left, right=right):
            return _has_none(draft, left) and _has_none(draft, right)
        case ast.Call(func=ast.Attribute(value=inner, attr="to" | "cuda")):
            return _has_none(draft, inner)
        case ast.Call(func=function):
            full = draft.roles.full_name(function)
            return full in ("float", "int", "len", "torch.device") or (
                full.startswith("torch.nn.") and full.endswith("Loss")
            )
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
    return False
