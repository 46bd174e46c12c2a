"""Whether code, with all that it calls in this file and in those beside it, does something with gradients."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from ..memory import once
from ..recover.callees import is_imported
from ..recover.effects import touches_gradients
from ..recover.reached_files import methods_reached
from ..recover.roles import Roles
from ..recover.syntax import walk, walk_scope
from .draft import Draft

_OBJECT = frozenset({"__call__", "forward"})
_MAKING = frozenset({"__init__", "__new__", "__post_init__"})


def touches(draft: Draft, code: ast.AST) -> bool:
    """Whether the code may compute, change or clear gradients: yes rather than no."""
    clean = once(("code that touches no gradients", draft.roles), set[ast.AST])
    waiting: list[tuple[ast.AST, Roles]] = [(code, draft.roles)]
    seen: set[ast.AST] = set()
    while waiting:
        node, roles = waiting.pop()
        if node in seen or node in clean:
            continue
        seen.add(node)
        for inner in walk(node) if isinstance(node, ast.FunctionDef) else walk_scope(node):
            if touches_gradients(inner):
                return True
            if isinstance(inner, ast.Call):
                waiting += _called(inner, roles)
    clean |= seen  # and with them all that they call
    return False


def _called(call: ast.Call, roles: Roles) -> Iterator[tuple[ast.AST, Roles]]:
    """The functions that a call may run: what it names, and what it hands on."""
    yield from _named(call.func, roles)
    for argument in [*call.args, *(k.value for k in call.keywords)]:
        if isinstance(argument, ast.Name | ast.Attribute) and (own := _function(argument, roles)) is not None:
            yield own


def _named(called: ast.expr, roles: Roles) -> Iterator[tuple[ast.AST, Roles]]:
    if (own := _function(called, roles)) is not None:
        yield own
        return
    full = roles.full_name(called)
    if full and (made := roles.own_class_named(full)) is not None:
        yield from _methods(made[0], _MAKING, made[1])
        return
    match called:
        case _ if is_imported(called, roles):
            return
        case ast.Name(id=name) if hasattr(builtins, name) or name in roles.source.classes:
            return
        case ast.Attribute(attr=name):
            names = frozenset({name})
        case _:
            names = _OBJECT
    methods = methods_reached(roles)
    for name in sorted(names):
        yield from methods.get(name, ())


def _function(named: ast.expr, roles: Roles) -> tuple[ast.AST, Roles] | None:
    full = roles.full_name(named)
    return roles.function_named(full) if full else None


def _methods(definition: ast.ClassDef, names: frozenset[str], roles: Roles) -> Iterator[tuple[ast.AST, Roles]]:
    yield from ((m, roles) for m in definition.body if isinstance(m, ast.FunctionDef) and m.name in names)
