"""Optimizers that a function makes and hands back beside other things: who calls the function may make them as well.

def load():                                            def load():
    data, model = Data(), Net()                            data, model = Data(), Net()
    optimizer = SGD(model.parameters(), lr=0.1)            return data, model
    return data, model, optimizer                      →
data, net, optimizer = load()                          data, net = load()
                                                       optimizer = SGD(net.parameters(), lr=0.1)
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Container
from dataclasses import dataclass

from ..plan.same_parameters import SameParameters
from ..recover.names import local_names, parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import dotted, walk
from ..recover.ways_on import ways_on
from .given import makes_no_more, only_called


@dataclass(frozen=True, slots=True)
class Call:
    """A statement that calls the function, and what it calls the names of the making."""

    statement: ast.Assign
    words: dict[ast.expr, str]


@dataclass(frozen=True, slots=True)
class Returned:
    """The statement that makes an optimizer, the one that hands it back, its place there, and all calls."""

    made: ast.Assign
    handed: ast.Return
    place: int
    calls: tuple[Call, ...]


def find_returned(roles: Roles, wanted: Container[str]) -> Returned | None:
    """The first that all callers may make; ``wanted`` are the names that other files take."""
    for function in roles.source.tree.body:
        if isinstance(function, ast.FunctionDef) and _hands_back(function) and only_called(roles, function):
            if (found := _found(roles, function)) is not None and function.name not in wanted:
                return found
    return None


def _hands_back(function: ast.FunctionDef) -> bool:
    """Whether a function ends with several things that it hands back, and leaves in no other way."""
    returns = [n for n in walk(function) if isinstance(n, ast.Return)]
    match function.body[-1]:
        case ast.Return(value=ast.Tuple(elts=parts)) as last:
            names = [p.id for p in parts if isinstance(p, ast.Name)]
            return len(parts) > 1 and len(names) == len({*names}) and returns == [last] and function.returns is None
    return False


def _found(roles: Roles, function: ast.FunctionDef) -> Returned | None:
    handed = function.body[-1]
    assert isinstance(handed, ast.Return) and isinstance(handed.value, ast.Tuple)
    for place, part in enumerate(handed.value.elts):
        if not isinstance(part, ast.Name):
            continue
        mentions = [n for n in walk(function) if isinstance(n, ast.Name) and n.id == part.id]
        for statement in function.body if len(mentions) == 2 else ():
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value) if name == part.id:
                    if not makes_no_more(roles, value) or not _may_wait(roles, function, statement):
                        continue
                    calls = [_call(roles, function, statement, c) for c in roles.source.calls_to(function.name)]
                    known = tuple(c for c in calls if c is not None)
                    if len(known) == len(calls):
                        return Returned(statement, handed, place, known)
    return None


def _may_wait(roles: Roles, function: ast.FunctionDef, made: ast.Assign) -> bool:
    """Whether what the function does behind the making leaves what is made as it is."""
    same = SameParameters(roles, function, [made])
    used = same.used_by(made.value)
    behind = function.body[function.body.index(made) + 1 : -1]
    handed = function.body[-1]
    assert isinstance(handed, ast.Return) and isinstance(handed.value, ast.Tuple)
    plain = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    if any(isinstance(n, ast.Global | ast.Nonlocal) for n in walk(function)):
        return False
    if not all(same.after(part, used) for part in handed.value.elts if not isinstance(part, ast.Name)):
        return False
    return all(same.after(part, used) for s in behind if not isinstance(s, plain) for part in ways_on(s))


def _call(roles: Roles, function: ast.FunctionDef, made: ast.Assign, call: ast.Call) -> Call | None:
    """The statement around a call, when it takes apart what comes back, and can say all that the making says."""
    source = roles.source
    statement = source.statement_of(call)
    handed = function.body[-1]
    assert isinstance(handed, ast.Return) and isinstance(handed.value, ast.Tuple)
    parts = handed.value.elts
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value) if value is call and len(targets) == len(parts):
            pass
        case _:
            return None
    texts = [dotted(t) for t in targets]
    if not all(texts) or len({*texts}) != len(texts):
        return None
    if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
        return None
    names = {part.id: text for part, text in zip(parts, texts, strict=True) if isinstance(part, ast.Name)}
    words: dict[ast.expr, str] = {made.targets[0]: names.pop(dotted(made.targets[0]))}
    scope = source.scope_of(call)
    for node in walk(made.value):
        if not isinstance(node, ast.Name):
            continue
        key = roles.key(function, node.id)
        if node.id in parameter_names(function):
            argument = bound_argument(function, call, node.id)
            passed = argument in (*call.args, *(k.value for k in call.keywords))
            if not passed or not isinstance(argument, ast.Name) or _is_bound(function, node.id):
                return None
            outer = roles.key(scope, argument.id)
            if argument.id in texts or outer is None or roles.rebound_unseen(outer):
                return None
            words[node] = argument.id
        elif node.id in names:
            words[node] = names[node.id]
        elif key is None:
            if not hasattr(builtins, node.id) or roles.key(scope, node.id) is not None:
                return None
        elif (
            not isinstance(key[0], ast.Module)
            or roles.key(scope, node.id) != key
            or roles.rebound_unseen(key)
            or len(roles.bindings(key)) > 1
            or node.id in texts
        ):
            return None
    return Call(statement, words)


def _is_bound(function: ast.FunctionDef, name: str) -> bool:
    inner = {n for f in walk(function) if isinstance(f, ast.FunctionDef) and f is not function for n in local_names(f)}
    stores = (n for n in walk(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load))
    return name in inner or any(n.id == name for n in stores)
