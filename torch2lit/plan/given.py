"""What the calls of a function give its parameters."""

from __future__ import annotations

import ast

from ..recover.names import parameter_names
from ..recover.roles import Key, Roles, bound_argument
from ..recover.syntax import Scope, dotted

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def given_by_calls(roles: Roles, function: Scope, parameter: str) -> list[tuple[Scope, ast.expr]]:
    """What a parameter is given wherever the function or method is called, its default too, with the scope of each call.

    Nothing where that is not all: the function is handed on, or a call spreads what it passes (``*values``, ``**options``).
    """
    if isinstance(function, ast.Module):
        return []
    source = roles.source
    owner = source.in_class(function)
    if owner is None:
        if source.function(function.name) is not function:
            return []
        calls = list(source.calls_to(function.name))
        mentions = sum(n.id == function.name and isinstance(n.ctx, ast.Load) for n in source.all(ast.Name))
    else:
        calls = [c for c in source.calls if isinstance(c.func, ast.Attribute) and c.func.attr == function.name]
        mentions = sum(n.attr == function.name for n in source.all(ast.Attribute))
        if any(dotted(c.func.value) in source.classes for c in calls if isinstance(c.func, ast.Attribute)):
            return []  # the object is an argument there
    found = [(source.scope_of(c), bound_argument(_as_called(function, owner), c, parameter)) for c in calls]
    given = [(where, value) for where, value in found if value is not None]
    return given if len(given) == mentions else []


def values_given(roles: Roles, key: Key) -> list[tuple[Scope, ast.expr]] | None:
    """What calls give a name: nothing where it is no parameter, None where it is one and not all calls are seen."""
    scope, name = key
    if isinstance(scope, ast.Module) or name not in parameter_names(scope):
        return []
    return given_by_calls(roles, scope, name) or None


def _as_called(function: _Function, owner: ast.ClassDef | None) -> _Function:
    """A method as a call of it sees its parameters."""
    if owner is None or not function.args.args or any(dotted(d) == "staticmethod" for d in function.decorator_list):
        return function
    a = function.args
    kept = ast.arguments(a.posonlyargs, a.args[1:], a.vararg, a.kwonlyargs, a.kw_defaults, a.kwarg, a.defaults)
    return ast.FunctionDef(function.name, kept, function.body, [])
