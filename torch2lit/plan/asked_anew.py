"""Whether a making asks for what is another thing at another time, or changes what others see: then it stays where it is.

optimizer = Adam(model.parameters(), lr=random.uniform(0.01, 0.02))     what draws between it and the training would draw first
optimizer = SGD(model.parameters(), lr=next(rates))
def make(model, config):
    return SGD(model.parameters(), lr=config.pop("lr"))                 who prints the settings before the training would see it
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from ..recover.names import parameter_names
from ..recover.roles import Role, Roles
from ..recover.syntax import root_name, walk
from .making_functions import nodes_of_making
from .writes_elsewhere import CHANGING

_ROOTS = {"random", "secrets", "uuid", "time", "datetime", "timeit"}
_FUNCTIONS = {"next", "input", "open"}
_METHODS = {
    "random", "uniform", "randint", "randrange", "choice", "choices", "sample", "shuffle", "gauss", "normal", "rand", "randn",
    "integers", "permutation", "standard_normal", "betavariate", "normalvariate", "getrandbits", "__next__", "now", "today",
    "read", "readline", "readlines", "send", "popleft", "get_nowait",
}  # fmt: skip
"""What generators of random numbers, iterators, clocks and files are asked."""
_CONSTRUCTORS = {"__init__", "__new__", "__post_init__"}


def asks_anew(roles: Roles, statement: ast.AST, made: Collection[str]) -> bool:
    """Whether a statement, or a function of the project that it calls, does so; ``made`` are the names that the making binds."""
    own = {id(n) for n in walk(statement)}
    return any(
        _is_another_later(file, node) or _changes_what_others_see(file, node, made if id(node) in own else None)
        for node, file in nodes_of_making(roles, [statement])
        if not _runs_later(file, node)
    )


def _runs_later(file: Roles, node: ast.AST) -> bool:
    """Whether a node stands in a method that making an object does not run: that of a class without bases."""
    function = file.source.scope_of(node)
    owner = file.source.in_class(function) if isinstance(function, ast.FunctionDef) else None
    return owner is not None and not owner.bases and getattr(function, "name", "") not in _CONSTRUCTORS


def _is_another_later(file: Roles, node: ast.AST) -> bool:
    """Whether a call draws a number, takes the next element, asks a clock or reads a file."""
    if not isinstance(node, ast.Call):
        return False
    full = file.full_name(node.func)
    if full.partition(".")[0] in _ROOTS or full.startswith("numpy.random."):
        return True
    if isinstance(node.func, ast.Name):
        return node.func.id in _FUNCTIONS and file.source.function(node.func.id) is None
    return isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS and not full.startswith("torch.")


def _changes_what_others_see(file: Roles, node: ast.AST, made: Collection[str] | None) -> bool:
    """Whether a node changes something that the making, or the function that it runs, was given; ``made`` is None in a function."""
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in CHANGING:
            changed = owner
        case ast.Attribute(value=owner, ctx=ast.Store() | ast.Del()) if made is None:
            changed = owner
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()) if made is None:
            changed = owner
        case _:
            return False
    name, scope = root_name(changed), file.source.scope_of(node)
    if not name or file.role(scope, name) in (Role.OPTIMIZER, Role.SCHEDULER):
        return False
    if made is not None:
        return name not in made
    if not isinstance(scope, ast.FunctionDef):
        return False
    given = parameter_names(scope)
    itself = given[:1] if file.source.in_class(scope) is not None else []
    kept = {*itself, *([scope.args.kwarg.arg] if scope.args.kwarg else [])}
    return name in given and name not in kept
