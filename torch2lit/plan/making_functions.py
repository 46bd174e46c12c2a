"""Functions of the project's own by which an optimizer is made: what they read of the settings, and whether they only hand parameters on.

def set_optimizer(args, model):
    return SGD(model.parameters(), lr=args.lr)             optimizer = set_optimizer(args, model)
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator

from ..recover.makings import yields
from ..recover.own_classes import definition_of
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import walk

_DEPTH = 4


def nodes_of_making(roles: Roles, making: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, Roles]]:
    """All nodes of statements, and of the project's functions and classes that they call, each with its file."""
    waiting: list[tuple[ast.AST, Roles]] = [(statement, roles) for statement in making]
    seen: set[ast.AST] = set()
    while waiting:
        part, file = waiting.pop()
        for node in walk(part):
            yield node, file
            if isinstance(node, ast.Call) and (found := called_in_project(file, node)) is not None:
                if found[0] not in seen:
                    seen.add(found[0])
                    waiting.append(found)


def called_in_project(roles: Roles, call: ast.Call) -> tuple[ast.FunctionDef | ast.ClassDef, Roles] | None:
    """The function or class of the project that a call calls, with the file that defines it."""
    found = definition_of(roles, call.func)
    if found in roles.source.functions or found in roles.source.classes.values():
        return (found, roles) if found is not None else None
    full = roles.full_name(call.func)
    named = roles.function_named(full) or roles.own_class_named(full)
    if named is None or not isinstance(named[1], Roles):
        return None
    return (named[0], named[1]) if isinstance(named[0], ast.FunctionDef | ast.ClassDef) else None


def plain_function(roles: Roles, call: ast.Call) -> tuple[ast.FunctionDef, Roles] | None:
    """The function of the project that a call runs at once, with its file."""
    match called_in_project(roles, call):
        case (ast.FunctionDef(decorator_list=[]) as function, file) if not yields(function):
            return function, file
    return None


def functions_run(roles: Roles, call: ast.Call, depth: int = _DEPTH) -> Iterator[ast.FunctionDef]:
    """The functions of the project that a call runs, with those that they call."""
    found = plain_function(roles, call)
    if found is None or not depth:
        return
    function, file = found
    yield function
    for node in walk(function):
        if isinstance(node, ast.Call):
            yield from functions_run(file, node, depth - 1)


def attributes_read(roles: Roles, call: ast.Call, argument: ast.Name, depth: int = _DEPTH) -> set[str] | None:
    """The attributes that a function of the project reads of an argument; None when it may do anything else with it."""
    found = plain_function(roles, call)
    if found is None or not depth or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    function, file = found
    parameters = [p.arg for p in (*function.args.args, *function.args.kwonlyargs)]
    names = [p for p in parameters if bound_argument(function, call, p) is argument]
    if len(names) != 1:
        return None
    read: set[str] = set()
    for node in walk(function):
        if not isinstance(node, ast.Name) or node.id != names[0]:
            continue
        above = file.source.parents[node]
        further = file.source.parents[above]
        if isinstance(above, ast.Attribute) and isinstance(above.ctx, ast.Load) and not above.attr.startswith("__"):
            if isinstance(further, ast.Call) and further.func is above:
                return None
            read.add(above.attr)
            continue
        inner = further if isinstance(above, ast.keyword) else above
        told = attributes_read(file, inner, node, depth - 1) if isinstance(inner, ast.Call) else None
        if told is None:
            return None
        read |= told
    return read


def is_error(call: ast.Call) -> bool:
    """Whether a call only makes an error that is raised."""
    kind = getattr(builtins, call.func.id, None) if isinstance(call.func, ast.Name) else None
    return isinstance(kind, type) and issubclass(kind, BaseException)
