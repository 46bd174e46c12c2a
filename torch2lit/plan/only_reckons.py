"""Whether the rule of a schedule only reckons with numbers, so that nothing of a model goes into it.

LambdaLR(optimizer, lambda step: cosine(step, args.epochs * len(loader), 1, 1e-6 / args.rate))
"""

from __future__ import annotations

import ast

from ..recover.names import parameter_names
from ..recover.own_classes import definition_of
from ..recover.roles import Role, Roles
from ..recover.syntax import walk
from .making_functions import called_in_project, nodes_of_making

_LIBRARIES = {"math", "numpy", "np"}
_BUILTINS = {"len", "min", "max", "abs", "float", "int", "round", "pow"}
_KNOWN = {Role.CONFIG, Role.LOADER}
"""What a rule may ask for a number."""
_CHANGING = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
"""What may hold other things later."""
_DEPTH = 3


Rule = ast.Lambda | ast.FunctionDef


def rules_of(roles: Roles, call: ast.Call) -> list[Rule]:
    """The rules of the file's own by which a schedule that is made there goes, and which it asks at once."""
    if not roles.full_name(call.func).startswith("torch.optim.lr_scheduler."):
        return []
    given = [n for part in (*call.args[1:], *(k.value for k in call.keywords)) for n in walk(part)]
    own = [definition_of(roles, n) for n in given if isinstance(n, ast.Name)]
    return [*(n for n in given if isinstance(n, ast.Lambda)), *(f for f in own if isinstance(f, ast.FunctionDef))]


def reckons(roles: Roles, rule: Rule) -> bool:
    """Whether the rule, and the functions that it runs, know nothing but numbers, settings and loaders, and call nothing unknown."""
    body: list[ast.AST] = [rule.body] if isinstance(rule, ast.Lambda) else [*rule.body]
    inside = {id(n) for n in walk(rule)} if isinstance(rule, ast.Lambda) else set[int]()
    own = {*parameter_names(rule)}
    return all(
        _is_own(file, node) if id(node) not in inside and isinstance(node, ast.Name) else _is_plain(file, node, own)
        for node, file in nodes_of_making(roles, body)
    )


def _is_own(roles: Roles, name: ast.Name) -> bool:
    """Whether a name in a function that the rule runs is the function's own, or as plain as any other."""
    key = roles.key(scope := roles.source.scope_of(name), name.id)
    return (key is not None and key[0] is scope) or _is_plain(roles, name, set())


def _is_plain(roles: Roles, node: ast.AST, own: set[str], depth: int = _DEPTH) -> bool:
    match node:
        case ast.Call(func=function):
            called, full = called_in_project(roles, node), roles.full_name(function)
            if called is not None:
                return isinstance(called[0], ast.FunctionDef)
            return full in _BUILTINS or _is_of_library(full)
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return False
        case ast.Attribute(value=owner, attr=attribute):
            if _is_of_library(roles.full_name(node)):
                return True
            known = roles.of(owner, roles.source.scope_of(node)) in _KNOWN
            return known and not _is_given_a_part(roles, attribute)
        case ast.Name(id=name):
            return name in own or _is_number(roles, node, depth)
    return not isinstance(node, ast.Await | ast.Lambda)


def _is_of_library(full: str) -> bool:
    """Whether a name is one of a library that only reckons."""
    return full.partition(".")[0] in _LIBRARIES and full.split(".")[1:2] != ["random"]


def _is_given_a_part(roles: Roles, attribute: str) -> bool:
    """Whether something of a model is put under the name of a setting."""
    for one in roles.source.all(ast.Assign):
        if any(isinstance(t, ast.Attribute) and t.attr == attribute for t in one.targets):
            named = (n for n in walk(one.value) if isinstance(n, ast.Name))
            if any(roles.of(n, roles.source.scope_of(n)) is Role.MODEL for n in named):
                return True
    return False


def _is_number(roles: Roles, name: ast.Name, depth: int) -> bool:
    """Whether a name stands for settings, a loader or a definition, or for nothing but numbers."""
    key = roles.key(roles.source.scope_of(name), name.id)
    if key is None or name.id in roles.origins or roles.source.function(name.id) is not None:
        return True
    if roles.role_of(key) in _KNOWN:
        return True
    values = [b.value for b in roles.bindings(key)]
    parts = [n for value in values for n in walk(value)]
    if not values or not depth or roles.rebound_unseen(key) or any(isinstance(n, _CHANGING) for n in parts):
        return False
    return all(_is_plain(roles, n, set(), depth - 1) for n in parts)
