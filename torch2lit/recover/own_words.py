"""Whether a called name means what it says, or something that the script made under that name.

enumerate(loader)                            the builtin
from tqdm import tqdm                        the package's
def tqdm(batches, **options): ...            the script's own: nobody knows what it gives
def tqdm(batches, **options): return batches    the script's own, which gives what it gets
"""

from __future__ import annotations

import ast

from .names import parameter_names
from .roles import Roles
from .syntax import Scope, root_name, walk_scope


def is_meant(function: ast.expr, scope: Scope, roles: Roles) -> bool:
    """Whether nothing of the script's or of its project's own stands behind the name, but what gives on its first argument."""
    if isinstance(function, ast.Name):
        return _name_is_meant(function.id, scope, roles)
    return root_name(function) in roles.origins or not any(
        isinstance(function, ast.Attribute) and f.name == function.attr for f in roles.source.functions
    )


def _name_is_meant(name: str, scope: Scope, roles: Roles) -> bool:
    key = roles.key(scope, name)
    if key is None:
        return True
    holder = key[0]
    if not isinstance(holder, ast.Module) and name in parameter_names(holder):
        return False
    for node in walk_scope(holder.body):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return False
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name and not _gives_on(node):
            return False
    if (full := roles.origins.get(name)) and roles.defined_beside(full) is not None:
        return False
    return all(b.index is None and _value_is_meant(b.value, name, roles) for b in roles.bindings(key))


def _gives_on(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    """Whether a function only returns its first argument."""
    first = parameter_names(function)[:1]
    body = function.body
    if isinstance(body, list):
        match body:
            case [ast.Expr(value=ast.Constant()), ast.Return(value=ast.expr() as given)] | [
                ast.Return(value=ast.expr() as given)
            ]:
                body = given
            case _:
                return False
    return isinstance(body, ast.Name) and [body.id] == first


def _value_is_meant(value: ast.expr, name: str, roles: Roles) -> bool:
    match value:
        case ast.Lambda():
            return _gives_on(value)
        case ast.Call(func=maker, args=[made, *_]) if roles.full_name(maker) == "functools.partial":
            return _value_is_meant(made, name, roles)
        case ast.Name(id=other):
            return other == name or other in roles.origins
        case ast.Attribute():
            return root_name(value) in roles.origins
        case ast.IfExp(body=one, orelse=other):
            return _value_is_meant(one, name, roles) and _value_is_meant(other, name, roles)
    return False
