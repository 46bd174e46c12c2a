"""Whether a condition answers the same when it is asked again behind some statements.

if step >= limit: break         and behind the loop again: `if step >= limit: break`         nothing gives `step` another value
if torch.rand(1) < 0.1: break   and behind the loop again                                     draws another number
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..recover.nest import Frame
from ..recover.role import Role
from ..recover.syntax import Scope, dotted, root_name, walk
from .draft import Draft
from .looks import Looks
from .quiet_tests import runs_property

_NUMBERS = {"abs", "bool", "float", "int", "len", "max", "min", "round"}
_SHOWING = {"print"}


def answers_the_same(
    draft: Draft, test: ast.expr, frame: Frame, between: Iterable[tuple[ast.AST, Scope]], names: set[str]
) -> bool:
    """Whether the statements leave alone what the condition asks; ``names`` are those that it reads.

    Whether they bind one of the names is for the caller to say.
    """
    if not _asks_numbers(draft, test):
        return False
    several = [*between]
    changed = {name for node, scope in several for _owner, name in draft.effects.of(node, scope).mutates}
    if changed & names:
        return False
    return not _looks_into_objects(draft, test, frame) or not any(
        _may_change_objects(draft, node) for node, _scope in several
    )


def _asks_numbers(draft: Draft, test: ast.expr) -> bool:
    """Whether the condition calls nothing but what finds a number of a value."""
    for node in walk(test):
        if isinstance(node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) or runs_property(draft.roles, node):
            return False
        match node:
            case ast.Call(func=ast.Name(id=name)) if (
                name in _NUMBERS and draft.roles.key(draft.source.tree, name) is None
            ):
                pass
            case ast.Call(func=ast.Attribute(attr="item"), args=[], keywords=[]):
                pass
            case ast.Call():
                return False
    return True


def calls_methods(draft: Draft, node: ast.AST, names: set[str]) -> bool:
    """Whether a method of what one of the names stands for is called that may change it: ``seen.zero_()``."""
    looks = Looks(draft)
    calls = (n for n in walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
    return any(root_name(call.func) in names and not looks.call(call) for call in calls)


def _looks_into_objects(draft: Draft, test: ast.expr, frame: Frame) -> bool:
    """Whether the answer may be another one though all names stand for the same objects."""
    return any(_truth_of_object(draft, part, frame) for part in _parts(test)) or any(
        (isinstance(n, ast.Name) and _is_bound_elsewhere(draft, n.id, frame))
        or isinstance(n, ast.Subscript | ast.Call)
        or (isinstance(n, ast.Attribute) and draft.role(ast.Name(root_name(n), ast.Load()), frame) is not Role.CONFIG)
        for n in walk(test)
    )


def _is_bound_elsewhere(draft: Draft, name: str, frame: Frame) -> bool:
    """Whether a function, when it is called, may give the name another value."""
    key = draft.roles.key(frame.scope, name)
    source = draft.source
    return key is not None and any(
        not isinstance(n.ctx, ast.Load) and source.scope_of(n) is not key[0] for n in draft.roles.mentions(key)
    )


def _truth_of_object(draft: Draft, part: ast.expr, frame: Frame) -> bool:
    """Whether a name alone is the condition, and not surely one for a number or a truth value."""
    if not isinstance(part, ast.Name):
        return False
    key = draft.roles.key(frame.scope, part.id)
    bindings = draft.roles.bindings(key) if key is not None else []
    return not bindings or not all(isinstance(b.value, ast.Constant | ast.Compare) for b in bindings)


def _parts(test: ast.expr) -> Iterator[ast.expr]:
    """What is asked for its truth."""
    match test:
        case ast.BoolOp(values=values):
            for value in values:
                yield from _parts(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _parts(operand)
        case _:
            yield test


def _may_change_objects(draft: Draft, node: ast.AST) -> bool:
    looks = Looks(draft)
    return any(
        (isinstance(n, ast.Attribute | ast.Subscript) and not isinstance(n.ctx, ast.Load))
        or (isinstance(n, ast.Call) and dotted(n.func) not in _SHOWING and not looks.call(n))
        for n in walk(node)
    )
