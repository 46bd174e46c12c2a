"""Is ``x.step(...)`` the step of an optimizer? What ``x`` is, what the call gets and what else is done with ``x`` say so.

    optimizer.step()        scaler.step(optimizer)        optimizer.step(closure)              a step
    ema.step(model)         env.step(action)              profiler.step()                      none

A name alone decides nothing: an object of unknown kind counts only where no surer step stands beside it.
"""

from __future__ import annotations

import ast
import re
import sys

from .makings import Value, makings
from .roles import OPTIMIZER_NAME, Role, Roles, is_optimizers_use
from .syntax import Scope, dotted, root_name
from .torch_calls import fits_torch

STEP_METHODS = ("step", "first_step", "second_step")
"""What optimizers are stepped with: those of sharpness-aware minimization take two steps per batch."""
_OTHERS = re.compile(r"sched", re.I)
_NO_OPTIMIZERS = frozenset({*sys.stdlib_module_names, "gym", "gymnasium", "wandb", "tqdm", "rich", "numpy"})


def optimizer_step(roles: Roles, call: ast.Call, scope: Scope) -> bool | None:
    """Whether a call of ``step`` makes an optimizer's step; None when nothing says so, and nothing speaks against it."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    role = roles.of(receiver, scope) or _made_role(roles, receiver, scope)
    if role in (Role.OPTIMIZER, Role.SCALER):
        return True
    if role is not None or roles.is_plain_object(receiver, scope):
        return False
    if _OTHERS.search(ast.unparse(receiver)) or root_name(receiver) in ("env", "prof", "profiler"):
        return False
    if any(_is_no_optimizers(m.full_name) for m in makings(Value(receiver, scope, roles))):
        return False
    if not _may_be_given(roles, call, scope):
        return False
    if any(_is_optimizer(roles, a, scope) for a in call.args):
        return True  # whatever scales the gradients, it is told to step that one
    return True if _is_used_as_one(roles, receiver) else None


def stepped_optimizer(roles: Roles, call: ast.Call, scope: Scope) -> ast.expr:
    """The optimizer that a step is of: the receiver, or what a scaler or the like is told to step."""
    assert isinstance(call.func, ast.Attribute)
    receiver = call.func.value
    if call.args and (role := roles.of(receiver, scope)) is not Role.OPTIMIZER:
        if role is Role.SCALER or roles.of(call.args[0], scope) is Role.OPTIMIZER:
            return call.args[0]
    return receiver


def _made_role(roles: Roles, node: ast.expr, scope: Scope) -> Role | None:
    """The role of whatever the project's text shows to make the object."""
    found = {r for m in makings(Value(node, scope, roles)) if (r := m.roles.of(m.call, m.scope)) is not None}
    return found.pop() if len(found) == 1 else None


def _is_no_optimizers(full: str) -> bool:
    """Whether what is called is a thing of a package that has no optimizers."""
    root = full.partition(".")[0]
    return ("." in full and root in _NO_OPTIMIZERS) or (root == "torch" and "optim" not in full)


def _may_be_given(roles: Roles, call: ast.Call, scope: Scope) -> bool:
    """Whether an optimizer's step may get these arguments: none, a closure, or, as a scaler's, an optimizer."""
    if not fits_torch(call):
        return False
    given = [*call.args, *(k.value for k in call.keywords if k.arg not in ("closure", "loss"))]
    return all(_is_closure(roles, a, scope) or _is_optimizer(roles, a, scope) for a in given)


def _is_optimizer(roles: Roles, node: ast.expr, scope: Scope) -> bool:
    role = roles.of(node, scope) or _made_role(roles, node, scope)
    if role is None and isinstance(node, ast.Attribute) and OPTIMIZER_NAME.fullmatch(node.attr):
        return not roles.is_plain_object(node, scope)  # what the object was given, as in `_is_used_as_one`
    return role is Role.OPTIMIZER


def _is_closure(roles: Roles, node: ast.expr, scope: Scope) -> bool:
    """Whether a value may be a function that computes the loss once more."""
    match node:
        case ast.Lambda() | ast.Constant(value=None):
            return True
        case ast.Name(id=name):
            if roles.source.function(name) is not None or any(f.name == name for f in roles.source.functions):
                return True
            key = roles.key(scope, name)
            values = [b.value for b in roles.bindings(key)] if key is not None else []
            return any(isinstance(v, ast.Lambda) for v in values)
        case ast.Call(func=function):
            return (
                dotted(function).rpartition(".")[2] == "partial" or roles.source.function(dotted(function)) is not None
            )
    return False


def _is_used_as_one(roles: Roles, receiver: ast.expr) -> bool:
    """Whether the same object has its gradients cleared or its groups read, as only optimizers have, or is called one."""
    if isinstance(receiver, ast.Attribute) and OPTIMIZER_NAME.fullmatch(receiver.attr):
        return True
    text = ast.unparse(receiver)
    return any(is_optimizers_use(a.attr) and ast.unparse(a.value) == text for a in roles.source.all(ast.Attribute))


def is_held(call: ast.Call) -> bool:
    """Whether a step site is the call of an object that holds backward or step in its methods."""
    return not (
        isinstance(call.func, ast.Attribute) and call.func.attr in (*STEP_METHODS, "backward", "manual_backward")
    )
