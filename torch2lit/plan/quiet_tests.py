"""Whether a test only asks values what they are, so that asking later gives the same when nobody changes them until then.

if args.adam:        if getattr(args, "kind", "adam") == "sgd":        if isinstance(rate, float):        elif args.kind.lower() == "sgd":
"""

from __future__ import annotations

import ast

from ..recover.reached_files import methods_reached
from ..recover.roles import Role, Roles
from ..recover.syntax import walk

_ASKS = {"getattr": 3, "hasattr": 2, "isinstance": 2}
"""Builtins, and with how many arguments they are asked at most."""
_OF_A_TEXT = {"lower", "upper", "strip", "casefold", "startswith", "endswith"}
_ANY = {"__getattr__", "__getattribute__", "__instancecheck__"}


def only_asks(roles: Roles, test: ast.expr) -> bool:
    """Whether a test runs nothing but questions of Python's own."""
    return all(
        not isinstance(n, ast.NamedExpr | ast.Await | ast.Yield)
        and not (isinstance(n, ast.Call) and not _asks(roles, n))
        and not runs_property(roles, n)
        for n in walk(test)
    )


def runs_property(roles: Roles, node: ast.AST) -> bool:
    """Whether an attribute is asked for that a property of the program's own may find by more than other attributes."""
    match node:
        case (
            ast.Attribute(attr=name)
            | ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(value=str() as name), *_])
        ):
            methods = (method for method, _file in methods_reached(roles).get(name, []))
            return any(method.decorator_list and _does_more(method) for method in methods)
    return False


def _does_more(method: ast.FunctionDef) -> bool:
    """Whether a property calls something, or binds more than its own names."""
    return any(
        isinstance(n, ast.Call | ast.Global | ast.Nonlocal)
        or (isinstance(n, ast.Attribute | ast.Subscript) and not isinstance(n.ctx, ast.Load))
        for s in method.body
        for n in walk(s)
    )


def _asks(roles: Roles, call: ast.Call) -> bool:
    """Whether a call is such a question; a network may be in another mode, or wrapped, when it is asked later."""
    scope = roles.source.scope_of(call)
    if call.keywords or any(isinstance(n, ast.Name) and roles.role(scope, n.id) is Role.MODEL for n in walk(call)):
        return False
    match call:
        case ast.Call(func=ast.Name(id=name), args=args) if name in _ASKS:
            if roles.key(scope, name) is not None or not 2 <= len(args) <= _ASKS[name]:
                return False
            return (name == "isinstance" or isinstance(args[1], ast.Constant)) and not _answers_itself(roles)
        case ast.Call(func=ast.Attribute(attr=name), args=args) if name in _OF_A_TEXT:
            return all(isinstance(a, ast.Constant | ast.Tuple) for a in args) and name not in methods_reached(roles)
    return False


def _answers_itself(roles: Roles) -> bool:
    """Whether a class of the program's own decides what an attribute that it has not got is."""
    return any(name in methods_reached(roles) for name in _ANY)
