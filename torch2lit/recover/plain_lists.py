"""Names that stand for one plain list."""

from __future__ import annotations

import ast

from .bindings import Names
from .roles import Key


def is_plain_list(key: Key, roles: Names) -> bool:
    """Whether a name is bound once, to a list that is written out or made of something else."""
    bindings = roles.bindings(key)
    if len(bindings) != 1 or bindings[0].index is not None:
        return False
    match bindings[0].statement, bindings[0].value:
        case ast.Assign(targets=[ast.Name()]), ast.ListComp() | ast.List(elts=[_, *_]):
            return True
    return False


def filled_before(key: Key, roles: Names, statement: ast.stmt) -> list[ast.Name] | None:
    """The mentions of a list that add an element to it, where it is bound once, empty, and all of them run before a statement of its block.

    pairs = []
    for line in lines:
        pairs.append((words(line), tag(line)))
    """
    bindings = roles.bindings(key)
    if len(bindings) != 1 or bindings[0].index is not None:
        return None
    made = bindings[0].statement
    match made:
        case ast.Assign(targets=[ast.Name()], value=ast.List(elts=[])):
            pass
        case _:
            return None
    block = key[0].body
    if made not in block or statement not in block:
        return None
    before = block[block.index(made) + 1 : block.index(statement)]
    inside = {id(n) for s in before if not isinstance(s, ast.FunctionDef | ast.ClassDef) for n in ast.walk(s)}
    named = (n for n in roles.source.all(ast.Name) if n.id == key[1] and _adds(n, roles))
    found = [n for n in named if roles.key(roles.source.scope_of(n), n.id) == key]
    return found if found and all(id(n) in inside for n in found) else None


def _adds(name: ast.Name, roles: Names) -> bool:
    parents = roles.source.parents
    method = parents.get(name)
    call = parents.get(method) if isinstance(method, ast.Attribute) and method.attr == "append" else None
    return isinstance(call, ast.Call) and call.func is method and isinstance(parents.get(call), ast.Expr)
