"""Whether code, with all that it calls in this file and in those beside it, does something with gradients, or steps an optimizer."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator

from ..memory import once
from ..recover.callees import is_imported
from ..recover.effects import touches_gradients
from ..recover.reached_files import methods_reached
from ..recover.roles import Role, Roles
from ..recover.stepping import STEP_METHODS
from ..recover.syntax import walk, walk_scope
from .draft import Draft

_OBJECT = frozenset({"__call__", "forward"})
_MAKING = frozenset({"__init__", "__new__", "__post_init__"})


def touches(draft: Draft, code: ast.AST) -> bool:
    """Whether the code may compute, change or clear gradients: yes rather than no."""
    return _reaches(draft, code, "code that touches no gradients", lambda node, _roles: touches_gradients(node))


def may_step(draft: Draft, code: ast.AST) -> bool:
    """Whether the code may step an optimizer, or hands one to code that nobody can see: yes rather than no."""
    return _reaches(draft, code, "code that steps nothing", _may_be_step)


def takes_step(draft: Draft) -> bool:
    """Whether the file may take an optimizer's method out, to step by another name: ``go = optimizer.step``."""
    called = {id(call.func) for call in draft.source.calls}
    taken = (n for n in draft.source.all(ast.Attribute) if n.attr in STEP_METHODS and id(n) not in called)
    return any(_role(n.value, draft.roles) in (Role.OPTIMIZER, None) for n in taken if isinstance(n.ctx, ast.Load))


def _reaches(draft: Draft, code: ast.AST, without: str, asked: Callable[[ast.AST, Roles], bool]) -> bool:
    """Whether the code, or what it calls, holds what is asked for; ``without`` is the name of what is known to hold none."""
    clean = once((without, draft.roles), set[ast.AST])
    waiting: list[tuple[ast.AST, Roles]] = [(code, draft.roles)]
    seen: set[ast.AST] = set()
    while waiting:
        node, roles = waiting.pop()
        if node in seen or node in clean:
            continue
        seen.add(node)
        for inner in walk(node) if isinstance(node, ast.FunctionDef) else walk_scope(node):
            if asked(inner, roles):
                return True
            if isinstance(inner, ast.Call):
                waiting += _called(inner, roles)
    clean |= seen  # and with them all that they call
    return False


def _may_be_step(node: ast.AST, roles: Roles) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr in STEP_METHODS:
        return _role(node.func.value, roles) is not Role.SCHEDULER
    given = [*node.args, *(k.value for k in node.keywords)]
    if roles.full_name(node.func).startswith("torch.") or not any(_role(a, roles) is Role.OPTIMIZER for a in given):
        return False
    return not any(True for _ in _named(node.func, roles))


def _role(node: ast.expr, roles: Roles) -> object:
    return roles.of(node, roles.source.scope_of(node))


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
