"""Whether the turns of a loop leave alone what a list of batches holds: Lightning hands over copies of containers.

history.append(loss.item())      a list of the loop's own, made empty           nothing that a batch holds
words.reverse()                  an element of another list, a parameter        may be what a batch holds
"""

from __future__ import annotations

import ast

from ..plan.may_run import may_run
from ..recover.roles import Roles
from ..recover.syntax import Scope, dotted, root_name, walk

_CHANGING = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "add", "discard"),
        *("sort", "reverse", "__setitem__", "fill_", "copy_", "put", "resize", "fill"),
    }
)
_NEW = (
    *(ast.Constant, ast.JoinedStr, ast.BinOp, ast.UnaryOp, ast.Compare),
    *(ast.List, ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp),
)
"""What gives an object that nothing else holds."""


def keeps_elements(loop: ast.For, roles: Roles) -> bool:
    """Whether all that a turn changes, with what it calls, is surely no container that a batch is or holds."""
    return all(_is_own(owner, roles) for node in may_run(roles.source, loop.body) for owner in _changed(node))


def _changed(node: ast.AST) -> list[ast.expr]:
    """What a node changes in place."""
    match node:
        case ast.Attribute(value=owner, attr=attribute) if attribute in _CHANGING:
            return [owner]
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return [owner]
        case ast.AugAssign(target=ast.Name() as name):
            return [name]
        case ast.Call(func=function, args=[given, *_]) if dotted(function).rpartition(".")[2] == "shuffle":
            return [given]
    return []


def _is_own(owner: ast.expr, roles: Roles) -> bool:
    scope = roles.source.scope_of(owner)
    match owner:
        case ast.Name(id=name) if name in roles.origins:
            return True  # a function of a module
        case ast.Name(id=name):
            return _is_new(name, scope, roles)
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
            stored = [
                statement.value
                for statement in roles.source.all(ast.Assign)
                if any(isinstance(t, ast.Attribute) and t.attr == attribute for t in statement.targets)
            ]
            return bool(stored) and all(_gives_new(value, roles) for value in stored)
        case ast.Call():
            return _gives_new(owner, roles)
    root = root_name(owner)
    return bool(root) and _is_new(root, scope, roles, holds_nothing=True)


def _is_new(name: str, scope: Scope, roles: Roles, *, holds_nothing: bool = False) -> bool:
    """Whether a name only ever stands for objects that were made for it; ``holds_nothing``: that hold no other variable's."""
    key = roles.key(scope, name)
    bindings = [b for b in roles.bindings(key) if not isinstance(b.statement, ast.AugAssign)] if key is not None else []
    if not bindings or key is None or roles.rebound_unseen(key):
        return False
    if holds_nothing and any(isinstance(n, ast.Name) for b in bindings for n in walk(b.value)):
        return False
    return all(b.index is None and _gives_new(b.value, roles) for b in bindings)


def _gives_new(value: ast.expr, roles: Roles) -> bool:
    if isinstance(value, ast.Call):
        return roles.function_named(roles.full_name(value.func)) is None and dotted(value.func) != ""
    return isinstance(value, _NEW)
