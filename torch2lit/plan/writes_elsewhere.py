"""What the functions and classes that make an optimizer leave elsewhere, or read there: variables at the top of files.

MADE = []                                       def build(model):
                                                    MADE.append("sgd")           a call that comes later leaves it later
RATE = 0.1                                          return SGD(model.parameters(), RATE)    and reads what the script has set by then
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Iterator

from ..recover.names import bound_names, flow, local_names
from ..recover.roles import Roles
from ..recover.syntax import Source, root_name, walk
from .making_functions import called_in_project, nodes_of_making
from .may_run import may_run

_LIBRARIES = {"torch", "numpy", "math", "sys", "os"}
CHANGING = {
    "append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "add", "discard", "sort",
    "reverse",
}  # fmt: skip
"""Methods that change what a container holds."""


def writes_elsewhere(roles: Roles, statement: ast.AST) -> set[str]:
    """The names at the top of files that a statement binds or changes in functions and classes of the project that it calls."""
    own = {id(node) for node in walk(statement)}
    found: set[str] = set()
    for node, file in nodes_of_making(roles, [statement]):
        if id(node) in own:
            continue
        for name in _written(node):
            key = file.key(file.source.scope_of(node), name)
            if key is not None and isinstance(key[0], ast.Module):
                found.add(name)
    return found


def reads_elsewhere(roles: Roles, statement: ast.AST) -> set[str]:
    """The variables at the top of other files that a statement reads, or functions and classes which it calls."""
    found: set[str] = set()
    for node, file in nodes_of_making(roles, [statement]):
        if file is roles:
            found |= _imported(roles, node)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            key = file.key(file.source.scope_of(node), node.id)
            if key is not None and isinstance(key[0], ast.Module) and file.bindings(key):
                found.add(node.id)
    return found


def _imported(roles: Roles, node: ast.AST) -> set[str]:
    """What a part of the script has of another file: ``settings.RATE``, ``RATE`` of ``from settings import *``, a list that was imported."""
    if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return set()
    parent = roles.source.parents.get(node)
    if isinstance(parent, ast.Attribute):
        return set()
    if isinstance(parent, ast.Call) and parent.func is node and called_in_project(roles, parent) is not None:
        return set()
    full, root = roles.full_name(node), root_name(node)
    if full.partition(".")[0] in _LIBRARIES:
        return set()
    return {*full.split(".")} if root in roles.origins or _is_taken_whole(roles, node, root) else set()


def _is_taken_whole(roles: Roles, node: ast.AST, name: str) -> bool:
    """Whether a name is known from nothing but ``from settings import *``."""
    return bool(name) and not hasattr(builtins, name) and not _is_bound(roles, node, name)


def _is_bound(roles: Roles, node: ast.AST, name: str) -> bool:
    scope = roles.source.scope_of(node)
    if isinstance(scope, ast.Module):
        return name in bound_names(scope.body)
    line: int = node.lineno  # type: ignore[attr-defined]
    above = [s for s in scope.body if (s.end_lineno or s.lineno) < line]
    return name in local_names(scope) or name in flow(above).definite or name in bound_names(roles.source.tree.body)


def imported_owners(roles: Roles, variables: Collection[str]) -> set[str]:
    """The imported names by which a script may get hold of variables of other files: themselves, or those of their files."""
    known = {name for name, full in roles.origins.items() if full.rpartition(".")[2] in variables}
    reached = (root_name(n) for n in roles.source.all(ast.Attribute) if n.attr in variables)
    taken = {n.id for n in roles.source.all(ast.Name) if n.id in variables and n.id not in roles.origins}
    return known | {name for name in reached if name in roles.origins} | taken


def names_reached(source: Source, statements: Iterable[ast.AST]) -> set[str]:
    """The names that statements mention, and functions of the file that they may call."""
    return {node.id for node in may_run(source, statements) if isinstance(node, ast.Name)}


def _written(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name
        case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
            yield root_name(node)
        case ast.Call(func=ast.Attribute(attr=method) as function) if method in CHANGING:
            yield root_name(function)
