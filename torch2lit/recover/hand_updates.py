"""Parameters that a script updates from their gradients itself, without an optimizer.

    with torch.no_grad():
        w -= lr * w.grad
    for p in net.parameters(): p.data.add_(p.grad, alpha=-lr)
    sgd([w, b], lr, batch_size)                                 a function of the script that does so

Such an update is a step site, but it is only asked for where no optimizer steps: an attack on the inputs of a model, beside its
training or by the gradient's sign, is no training.
"""

from __future__ import annotations

import ast

from .names import parameter_names
from .roles import Roles
from .syntax import Scope, root_name, walk, walk_scope

_IN_PLACE = {"add_", "sub_", "copy_", "addcmul_", "addcdiv_", "lerp_"}


def hand_updates(scope: Scope, roles: Roles) -> list[ast.expr]:
    """What stands for each update in a scope: the gradient that it reads, or the call of the function that updates."""
    found: list[ast.expr] = []
    given = _made_of_arguments(scope)
    for node in walk_scope(scope.body):
        if isinstance(node, ast.stmt) and (gradient := _updated_by(node)) is not None:
            if root_name(gradient) not in given:
                found.append(gradient)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            function = roles.source.function(node.func.id)
            if function is not None and function is not scope and _is_update(function):
                found.append(node)
    return sorted(found, key=lambda n: (n.lineno, n.col_offset))


def _made_of_arguments(scope: Scope) -> set[str]:
    """The names of a function that stand for something made of its arguments, as a perturbation of its inputs is."""
    if isinstance(scope, ast.Module):
        return set()
    arguments = set(parameter_names(scope))
    return {
        target.id
        for node in walk_scope(scope.body)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and any(isinstance(n, ast.Name) and n.id in arguments for n in walk(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _is_update(function: ast.AST) -> bool:
    """Whether a function updates and does not go backward itself."""
    nodes = list(walk(function))
    backward = any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in nodes)
    return not backward and any(isinstance(n, ast.stmt) and _updated_by(n) is not None for n in nodes)


def _updated_by(statement: ast.stmt) -> ast.expr | None:
    """The gradient from which a statement updates something in place; None for any other statement."""
    match statement:
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub(), value=value) if not _of_gradient(target):
            return _gradient_in(value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=receiver, attr=method)) as call):
            if method in _IN_PLACE and not _of_gradient(receiver):
                values = [*call.args, *(k.value for k in call.keywords)]
                return next((g for v in values if (g := _gradient_in(v)) is not None), None)
        case ast.Assign(targets=[ast.Attribute(attr="data") | ast.Subscript() as target], value=value):
            return _gradient_in(value) if not _of_gradient(target) else None
    return None


def _of_gradient(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in walk(node))


def _gradient_in(value: ast.expr) -> ast.expr | None:
    """The first gradient that an expression reads as it is; None when it only asks for its sign."""
    nodes = list(walk(value))
    if any(isinstance(n, ast.Attribute) and n.attr in ("sign", "sign_") for n in nodes):
        return None
    return next((n for n in nodes if isinstance(n, ast.Attribute) and n.attr == "grad"), None)
