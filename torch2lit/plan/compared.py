"""Constructor arguments that Lightning cannot compare with the hyper-parameters.

``save_hyperparameters(vars(args))`` looks for the argument that these values came as, and asks ``value == values`` of every one. An array of
numpy and a table of pandas answer that element by element, and the truth of many answers is an error.
"""

from __future__ import annotations

import ast

from ..recover.own_classes import class_of_call, has_method
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope

_DEPTH = 5
_SINGLE = {
    "bool",
    "bytes",
    "dict",
    "enumerate",
    "float",
    "int",
    "iter",
    "len",
    "list",
    "open",
    "range",
    "set",
    "sorted",
}
_SINGLE |= {"str", "tuple", "zip"}
_MODULES = ("torch.", "torchvision.", "os.", "time.", "datetime.", "collections.", "pathlib.", "logging.", "math.")
"""Modules of which nothing compares element by element: a tensor and a dictionary are just unequal."""


def compared_by_elements(roles: Roles, scope: Scope, arguments: list[tuple[str, str]]) -> list[str]:
    """The parameters, of (parameter, argument) pairs, whose arguments may answer ``==`` with an array."""
    found = []
    for parameter, argument in arguments:
        try:
            value = ast.parse(argument, mode="eval").body
        except SyntaxError:
            continue
        if not _has_one_answer(roles, value, scope, 0):
            found.append(parameter)
    return found


def _has_one_answer(roles: Roles, value: ast.expr, scope: Scope, depth: int) -> bool:
    match value:
        case ast.Constant() | ast.JoinedStr() | ast.Lambda():
            return True
        case ast.List() | ast.Tuple() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Name(id=name):
            key = roles.key(scope, name)
            return roles.of(value, scope) is not None or (key is not None and _is_made_so(roles, key, depth))
        case ast.IfExp(body=body, orelse=orelse):
            return _has_one_answer(roles, body, scope, depth) and _has_one_answer(roles, orelse, scope, depth)
        case ast.BinOp(left=left, right=right):
            return _has_one_answer(roles, left, scope, depth) and _has_one_answer(roles, right, scope, depth)
        case ast.UnaryOp(operand=operand):
            return isinstance(value.op, ast.Not) or _has_one_answer(roles, operand, scope, depth)
        case ast.Attribute(value=ast.Name() as owner):
            return (role := roles.of(owner, scope)) is not None and role.value == "config"
        case ast.Call(func=function):
            full = roles.full_name(function)
            if full in _SINGLE or full.startswith(_MODULES):
                return True
            own = class_of_call(roles, value)
            return own is not None and not has_method(own, "__eq__") and not own.bases
    return roles.of(value, scope) is not None


def _is_made_so(roles: Roles, key: Key, depth: int) -> bool:
    bindings = roles.bindings(key)
    return (
        depth < _DEPTH
        and bool(bindings)
        and not roles.rebound_unseen(key)
        and all(b.index is None and _has_one_answer(roles, b.value, key[0], depth + 1) for b in bindings)
    )
