"""What a call may call when what it names is a variable: a class that is handed on, an entry of a table, a lambda.

def train(make_loss): loss = make_loss()        losses[name]()        partial(Loss, 0.1)()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .bindings import Names
from .makings import Value, elements_at
from .names import parameter_names
from .syntax import root_name

_DEEPEST = 12


def callees(called: Value, depth: int = 0) -> Iterator[Value | None]:
    """The classes, functions and lambdas that an expression may stand for; None for whatever is not in sight."""
    node, scope, roles = called.node, called.scope, called.roles
    if depth > _DEEPEST:
        yield None
        return
    match node:
        case ast.Lambda():
            yield called
        case ast.IfExp(body=one, orelse=other):
            for part in (one, other):
                yield from callees(Value(part, scope, roles), depth + 1)
        case ast.BoolOp(values=values):
            for part in values:
                yield from callees(Value(part, scope, roles), depth + 1)
        case ast.Subscript(value=container, slice=place):
            found = list(elements_at(Value(container, scope, roles), place))
            for element in found:
                yield from callees(element, depth + 1)
            if not found:
                yield None
        case ast.Call(func=function, args=[inner, *_]) if roles.full_name(function) == "functools.partial":
            yield from callees(Value(inner, scope, roles), depth + 1)
        case ast.Name() | ast.Attribute() if is_named(node, roles):
            yield called
        case ast.Name(id=name):
            yield from _of_variable(Value(node, scope, roles), name, depth)
        case _:
            yield None


def is_named(node: ast.expr, roles: Names) -> bool:
    """Whether an expression names a class or function of the project, or something that is imported."""
    full = roles.full_name(node)
    if not full:
        return False
    if roles.own_class_named(full) is not None or roles.function_named(full) is not None:
        return True
    return is_imported(node, roles)


def is_imported(node: ast.expr, roles: Names) -> bool:
    """Whether a name, or an attribute behind one, is what an import brought, and no variable of the same name as a module."""
    root = root_name(node)
    if root not in roles.origins:
        return False
    key = roles.key(roles.source.scope_of(node), root)
    if key is None:
        return True
    parameters = () if isinstance(key[0], ast.Module) else parameter_names(key[0])
    return not roles.bindings(key) and root not in parameters


def _of_variable(variable: Value, name: str, depth: int) -> Iterator[Value | None]:
    roles = variable.roles
    key = roles.key(variable.scope, name)
    if key is None:
        yield None
        return
    owner = key[0]
    found = [Value(b.value, owner, roles) if b.index is None else None for b in roles.bindings(key)]
    if not isinstance(owner, ast.Module) and name in parameter_names(owner):
        found += [Value(given, caller, roles) for caller, given in roles.arguments(owner, name)]
    for value in found:
        if value is None:
            yield None
        else:
            yield from callees(value, depth + 1)
    if not found:
        yield None
