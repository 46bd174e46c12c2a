"""Which parameters an optimizer holds: all of a module, in one group or parted among two.

SGD(model.parameters(), lr=0.1)
AdamW([{"params": [p for n, p in model.named_parameters() if "bias" not in n]},
       {"params": [p for n, p in model.named_parameters() if not "bias" not in n], "weight_decay": 0.0}])
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.items import Item
from ..recover.names import flow
from ..recover.roles import Key
from ..recover.state_names import is_attribute
from ..recover.stepping import is_held
from ..recover.syntax import Scope, dotted, walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft
from .making import makers
from .scaled import scaled_optimizer
from .statements_between import statements_between

_TWO = 2
_DEEPEST = 4
_BOUND_AND_USED = 2
_ASKING = {"any", "all", "len", "isinstance", "str"}
_ASKED_OF = {"endswith", "startswith", "lower", "split", "dim"}


def holds_every(draft: Draft, model: ast.expr, item: Item, receiver: ast.expr | None = None) -> bool:
    """Whether an optimizer, by default that of the first step, holds exactly the parameters of a module, in whatever groups."""
    return _optimizes(draft, model, item, receiver, grouped=True)


def optimizes_all(draft: Draft, model: ast.expr, item: Item, receiver: ast.expr | None = None) -> bool:
    """Whether an optimizer, by default that of the first step, holds exactly ``model.parameters()`` in one group."""
    return _optimizes(draft, model, item, receiver, grouped=False)


def _optimizes(draft: Draft, model: ast.expr, item: Item, receiver: ast.expr | None, *, grouped: bool) -> bool:
    if receiver is None:
        call = draft.nest.steps[0] if draft.nest.steps else None
        if call is None or is_held(call):
            return False
        assert isinstance(call.func, ast.Attribute)
        receiver = scaled_optimizer(draft, call) or call.func.value
    optimizer = draft.variable(receiver, draft.nest.step_frame)
    wanted = draft.variable(model, item.frame)
    if optimizer is None or wanted is None:
        return False
    known = wanted.scope is draft.source.tree and _is_wide(draft, wanted.name, optimizer.scope)
    if optimizer.scope is not wanted.scope and not known:
        return False
    return _holds_all(draft, optimizer.scope, optimizer.name, wanted.name, 0, grouped)


def _is_wide(draft: Draft, model: str, scope: Scope) -> bool:
    """Whether a function means by the name what the script means by it, which is one module all the time."""
    key = draft.roles.key(draft.source.tree, model)
    if key is None or draft.roles.key(scope, model) != key:
        return False
    bindings = draft.roles.bindings(key)
    return is_attribute(model) or (len(bindings) == 1 and not draft.roles.rebound_unseen(key))


def _holds_all(draft: Draft, scope: Scope, optimizer: str, model: str, depth: int, grouped: bool) -> bool:
    """Whether, in a scope, one name is an optimizer made of all parameters of the module under the other name."""
    key, model_key = draft.roles.key(scope, optimizer), draft.roles.key(scope, model)
    if key is None or model_key is None or depth > _DEEPEST:
        return False
    if key[0] is not model_key[0] and not _is_wide(draft, model, key[0]):
        return False
    owner = key[0]
    bindings = draft.roles.bindings(key)
    if (
        not bindings and not isinstance(owner, ast.Module) and key[0] is model_key[0]
    ):  # both are parameters: ask every caller
        pairs = _passed_together(draft, owner, optimizer, model)
        return bool(pairs) and all(_holds_all(draft, s, o, m, depth + 1, grouped) for s, o, m in pairs)
    value = bindings[0].value if len(bindings) == 1 and bindings[0].index is None else _last_made(draft, key, model_key)
    if not isinstance(value, ast.Call):
        return False
    made: ast.expr = value
    if (function := _maker(draft, made)) is not None:
        returned = _returned(function)
        if isinstance(returned, ast.Name):
            return _is_wide(draft, model, function) and _holds_all(
                draft, function, returned.id, model, depth + 1, grouped
            )
        if returned is None or not _is_wide(draft, model, function):
            return False
        owner, made = function, returned
    parameters = _given_parameters(made)
    if parameters is None:
        return False
    match parameters:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="parameters"), args=[], keywords=[]):
            return draft.roles.key(owner, name) == model_key and _stays_one(draft, name)
    parted = _parted(_groups(draft, owner, parameters)) if grouped else None
    return parted is not None and draft.roles.key(owner, parted) == model_key and _stays_one(draft, parted)


def _given_parameters(made: ast.expr) -> ast.expr | None:
    """What an optimizer is made of: ``SGD(net.parameters(), ...)``, ``Adam(params=net.parameters())``."""
    if not isinstance(made, ast.Call):
        return None
    return next(iter([*made.args, *(k.value for k in made.keywords if k.arg == "params")]), None)


def _last_made(draft: Draft, optimizer: Key, model: Key) -> ast.expr | None:
    """What makes the optimizer that the loop finds under a name with several values, when the model's name has not changed since."""
    if optimizer[0] is not draft.nest.entry.scope or model[0] is not optimizer[0]:
        return None
    if any(draft.roles.rebound_unseen(key) for key in (optimizer, model)):
        return None
    made = makers(draft, Variable(draft.nest.entry, *optimizer))
    if (
        made is None
        or len(made) != 1
        or not isinstance(made[0], ast.Assign)
        or not isinstance(made[0].targets[0], ast.Name)
    ):
        return None
    later = flow([*statements_between(draft, made[0].lineno), draft.nest.outermost]).written
    return made[0].value if len(made[0].targets) == 1 and not {optimizer[1], model[1]} & later else None


def _maker(draft: Draft, made: ast.expr) -> ast.FunctionDef | None:
    """The function of the file that a call without arguments runs."""
    match made:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]):
            return draft.source.function(name)
    return None


def _returned(function: ast.FunctionDef) -> ast.expr | None:
    """What a function gives at its end, and nowhere else."""
    found = [n for n in walk_scope(function.body) if isinstance(n, ast.Return)]
    last = function.body[-1]
    return last.value if found == [last] and isinstance(last, ast.Return) else None


# ---- groups


def _groups(draft: Draft, scope: Scope, parameters: ast.expr) -> list[ast.expr]:
    """The elements of a list of parameter groups; none when it may be another list by the time the optimizer gets it."""
    if isinstance(parameters, ast.Name):
        key = draft.roles.key(scope, parameters.id)
        bindings = draft.roles.bindings(key) if key is not None else []
        uses = [n for n in walk(draft.source.tree) if isinstance(n, ast.Name) and n.id == parameters.id]
        if len(bindings) != 1 or bindings[0].index is not None or len(uses) != _BOUND_AND_USED:
            return []
        parameters = bindings[0].value
    return parameters.elts if isinstance(parameters, ast.List) else []


def _parted(groups: list[ast.expr]) -> str | None:
    """The module whose parameters two groups part among them, by a condition and its opposite; None when they may not."""
    if len(groups) != _TWO:
        return None
    one, other = _chosen(groups[0]), _chosen(groups[1])
    if one is None or other is None or one.module != other.module or one.names != other.names:
        return None
    for condition, opposite in ((one.condition, other.condition), (other.condition, one.condition)):
        match opposite:
            case ast.UnaryOp(op=ast.Not(), operand=operand) if ast.dump(operand) == ast.dump(condition):
                return one.module if _only_asks(condition) else None
    return None


@dataclass(frozen=True, slots=True)
class _Chosen:
    module: str
    names: tuple[str, str]
    condition: ast.expr


def _chosen(group: ast.expr) -> _Chosen | None:
    """What is chosen by ``{"params": [p for n, p in module.named_parameters() if condition], ...}``."""
    match group:
        case ast.Dict(keys=[ast.Constant(value="params"), *_], values=[chosen, *_]):
            match chosen:
                case ast.ListComp(
                    elt=ast.Name(id=taken),
                    generators=[
                        ast.comprehension(
                            target=ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=parameter)]),
                            iter=ast.Call(
                                func=ast.Attribute(value=ast.Name(id=module), attr="named_parameters"),
                                args=[],
                                keywords=[],
                            ),
                            ifs=[condition],
                            is_async=0,
                        )
                    ],
                ) if taken == parameter:
                    return _Chosen(module, (name, parameter), condition)
    return None


def _only_asks(condition: ast.expr) -> bool:
    """Whether a condition gives the same each time it is asked of the same parameter."""
    return all(
        dotted(node.func) in _ASKING or (isinstance(node.func, ast.Attribute) and node.func.attr in _ASKED_OF)
        for node in walk(condition)
        if isinstance(node, ast.Call)
    ) and not any(isinstance(node, ast.NamedExpr | ast.Await | ast.Yield) for node in walk(condition))


def _stays_one(draft: Draft, model: str) -> bool:
    """Whether an attribute is one module ever after: no method puts another one there, only wrappers around it."""
    if not is_attribute(model):
        return True
    bindings = draft.roles.bindings((draft.source.tree, model))
    return all(any(isinstance(n, ast.Name) and n.id == model for n in walk(b.value)) for b in bindings[1:])


def _passed_together(draft: Draft, function: Scope, optimizer: str, model: str) -> list[tuple[Scope, str, str]]:
    """What the calls of a function pass for two parameters, where both are names; empty when one is not."""
    optimizers, models = draft.roles.arguments(function, optimizer), draft.roles.arguments(function, model)
    if len(optimizers) != len(models):
        return []
    pairs = []
    for (scope, one), (_scope, other) in zip(optimizers, models, strict=True):
        if not isinstance(one, ast.Name) or not isinstance(other, ast.Name):
            return []
        pairs.append((scope, one.id, other.id))
    return pairs
