"""Which attribute of an object holds a model that its constructor is given, with the same parameters.

self.model = model.to(device)      self.model = DDP(model)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..plan.same_parameters import SAME_OBJECT, WRAPPERS
from ..recover.names import parameter_names
from ..recover.roles import Roles
from ..recover.syntax import walk


@dataclass(frozen=True, slots=True)
class Holder:
    """The attribute, and all statements that bind it."""

    attribute: str
    statements: tuple[ast.Assign, ...]


def holder_of(roles: Roles, init: ast.FunctionDef, name: str) -> Holder | None:
    """The attribute that holds what the constructor is given by this name, whatever else it is bound to."""
    source, itself = roles.source, parameter_names(init)[0]
    if any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in walk(init)):
        return None
    for statement in init.body:
        match statement:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner), attr=attribute)], value=value):
                if owner != itself or not _gives(roles, value, name, attribute, itself):
                    continue
                stores = [
                    a for a in source.all(ast.Attribute) if a.attr == attribute and not isinstance(a.ctx, ast.Load)
                ]
                bound = [s for s in walk(init) if isinstance(s, ast.Assign) and any(t in stores for t in s.targets)]
                if len(bound) == len(stores) and all(
                    len(s.targets) == 1 and _gives(roles, s.value, name, attribute, itself) for s in bound
                ):
                    return Holder(attribute, tuple(bound))
    return None


def _gives(roles: Roles, value: ast.expr, name: str, attribute: str, itself: str) -> bool:
    """Whether an expression gives the model, moved or in a wrapper that lists its parameters in their order."""
    match value:
        case ast.Name(id=given):
            return given == name
        case ast.Attribute(value=ast.Name(id=owner), attr=held):
            return owner == itself and held == attribute
        case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in SAME_OBJECT:
            own = any(f.name == method and roles.source.in_class(f) for f in roles.source.functions)
            calls = _calls(*value.args, *value.keywords)
            return not own and not calls and _gives(roles, inner, name, attribute, itself)
        case ast.Call(func=function, args=[inner, *rest], keywords=keywords) if not _calls(*rest, *keywords):
            return roles.full_name(function) in WRAPPERS and _gives(roles, inner, name, attribute, itself)
    return False


def _calls(*parts: ast.AST) -> bool:
    """Whether something is called in some of these."""
    return any(isinstance(n, ast.Call) for part in parts for n in walk(part))
