"""Which method is called first on an object, whatever runs between its making and the call, and whichever way a condition goes.

solver = Solver(args)
train, test = get_loaders(args)        runs between: nothing of it knows the object
if args.train:
    solver.fit(train)                  the first call on one way
else:
    solver.evaluate(test)              the first call on the other one
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..recover.roles import Roles
from ..recover.syntax import mentions, walk


@dataclass(slots=True)
class FirstCalls:
    """The calls of methods of which one is the first that an object gets."""

    calls: list[ast.Call] = field(default_factory=list)
    waits: bool = False
    """Whether other code runs before, which does not know the object."""


def first_calls(roles: Roles, made: ast.Assign, name: str) -> FirstCalls | None:
    """The first calls behind the making of an object in its own scope; None when something else may happen to it before."""
    source = roles.source
    node: ast.stmt = made
    found = FirstCalls()
    while True:
        block = source.block_of(node)
        ended = _called_in(roles, block[block.index(node) + 1 :], name, found)
        if ended is None:
            return None
        if ended or found.calls:
            return found if found.calls else None
        above = source.parents[node]
        if not isinstance(above, ast.If) or _turns(roles, above):
            return None  # a later turn of a loop may go past the making to the call
        node = above


def _called_in(roles: Roles, block: Sequence[ast.stmt], name: str, found: FirstCalls) -> bool | None:
    """Whether the object surely got its first call in a block; None when it may get something else first."""
    for statement in block:
        if not mentions(statement, name):
            found.waits = found.waits or not only_prints(roles, statement)
            continue
        match statement:
            case ast.If(test=test, body=body, orelse=orelse) if not mentions(test, name):
                found.waits = True
                ends = [_called_in(roles, arm, name, found) for arm in (body, orelse)]
                return None if None in ends else all(ends)  # what comes behind is no first call on every way
        calls = [c for c in _methods_called(statement, name) if is_all_of(roles, statement, c)]
        if len(calls) != 1 or any(mentions(a, name) for a in (*calls[0].args, *calls[0].keywords)):
            return None
        found.calls += calls
        return True
    return False


def _turns(roles: Roles, statement: ast.stmt) -> bool:
    """Whether a statement stands in a loop of its function."""
    for ancestor in roles.source.ancestors(statement):
        if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return False
        if isinstance(ancestor, ast.For | ast.While | ast.AsyncFor):
            return True
    return False


def only_prints(roles: Roles, statement: ast.stmt, calls: int = 1) -> bool:
    """Whether a statement prints what needs no call but so many."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print") as function) as call):
            plain = roles.key(roles.source.scope_of(function), "print") is None
            return plain and sum(isinstance(n, ast.Call) for n in walk(call)) == calls
    return False


def is_all_of(roles: Roles, statement: ast.stmt, call: ast.Call) -> bool:
    """Whether a statement does nothing but the call, whose arguments only look, and keeps or prints what comes back."""
    match statement:
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.Return(value=value) if value is call:
            pass
        case ast.Expr(value=ast.Call(args=[value])) if value is call and only_prints(roles, statement, 2):
            pass
        case _:
            return False
    return not any(isinstance(n, ast.Call) for a in (*call.args, *call.keywords) for n in walk(a))


def _methods_called(statement: ast.stmt, name: str) -> Iterator[ast.Call]:
    for node in walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner))) if owner == name:
                yield node
