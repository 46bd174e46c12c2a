"""An epoch loop whose turns begin with a look at whether to stop: the turn before may look, and the loop begins under the opposite.

bad = 0                                     bad = 0
for epoch in range(50):                     for epoch in range(50):
    if bad == 3:                                train(...)
        break                       →           bad += 1
    train(...)                                  if bad == 3:
    bad += 1                                        break

Nothing runs between the two places. What differs: the loop's counter, which nobody else may read; a `continue`, which would pass over
the end; and one more look behind the last turn, which must not fail.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.known import Known, known, truth
from ..recover.names import bound_otherwise
from ..recover.nest import Nest, counted_epochs
from ..recover.role import Role
from ..recover.roles import Key, Roles
from ..recover.syntax import blocks, leaves, walk

_LOOKS = (
    ast.Name, ast.Attribute, ast.Constant, ast.Compare, ast.UnaryOp, ast.Not, ast.USub, ast.BoolOp, ast.boolop, ast.expr_context, ast.cmpop,
)  # fmt: skip
_EQUAL = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


@dataclass(frozen=True, slots=True)
class HeadBreak:
    """The loop and the `if` at its head; ``guarded``: it may hold before the first turn already."""

    loop: ast.For
    test: ast.If
    guarded: bool


def find_head_breaks(nests: list[Nest], roles: Roles) -> list[HeadBreak]:
    """Those of the epoch loops of a program."""
    found = (_in_nest(nest, roles) for nest in nests)
    return list({one.loop: one for one in found if one is not None}.values())


def _in_nest(nest: Nest, roles: Roles) -> HeadBreak | None:
    loop = counted_epochs(nest)
    if loop is None or len(loop.body) < 2:
        return None
    match loop.body[0]:
        case ast.If(body=[ast.Break()], orelse=[]) as test:
            pass
        case _:
            return None
    look = _Look(roles, loop, test)
    if leaves(loop.body, ast.Continue) or look.counter_is_read() or not look.never_fails():
        return None
    return HeadBreak(loop, test, look.holds_at_first() is not False)


class _Look:
    """What is known of such a test."""

    def __init__(self, roles: Roles, loop: ast.For, test: ast.If) -> None:
        self.roles, self.source, self.loop, self.test = roles, roles.source, loop, test.test
        self.scope = self.source.scope_of(loop)

    def counter_is_read(self) -> bool:
        """Whether the test, a function or anything outside of the loop reads the loop's counter: it is one less after such a `break`."""
        assert isinstance(self.loop.target, ast.Name)
        name = self.loop.target.id
        key = self.roles.key(self.scope, name)
        if key != (self.scope, name) or self.roles.runs_text:
            return True
        inside = {id(n) for s in self.loop.body[1:] for n in walk(s)}
        read = (n for n in self.roles.mentions(key) if isinstance(n.ctx, ast.Load))
        return any(id(n) not in inside or self.source.scope_of(n) is not self.scope for n in read)

    def never_fails(self) -> bool:
        """Whether the test can be asked once more behind the last turn: it compares what it compared at the first one, or numbers."""
        if not all(isinstance(n, _LOOKS) for n in walk(self.test)) or self.roles.runs_text:
            return False
        names = [n for n in walk(self.test) if isinstance(n, ast.Name)]
        attributes = [n for n in walk(self.test) if isinstance(n, ast.Attribute)]
        if not all(self._is_setting(n) for n in attributes):
            return False
        settings = {id(n.value) for n in attributes}
        plain = [n for n in names if id(n) not in settings]
        return all(self._stays_a_number(n) for n in plain) and self._asks_alike(self.test)

    def _is_setting(self, node: ast.Attribute) -> bool:
        if not isinstance(node.value, ast.Name) or self.roles.of(node.value, self.scope) is not Role.CONFIG:
            return False
        return all(isinstance(n.ctx, ast.Load) for n in self.source.all(ast.Attribute) if n.attr == node.attr)

    def _asks_alike(self, test: ast.expr) -> bool:
        """Whether every look compares the same: of several parts, those that say whether an order is asked for stay as they are."""
        compared = [op for n in walk(test) if isinstance(n, ast.Compare) for op in n.ops]
        if not all(isinstance(op, _EQUAL + _ORDERED) for op in compared):
            return False
        if not any(isinstance(op, _ORDERED) for op in compared):
            return True
        match test:
            case ast.Compare():
                return len(test.ops) == 1
            case ast.UnaryOp(operand=operand):
                return self._asks_alike(operand)
            case ast.BoolOp(values=[*first, last]):
                return self._asks_alike(last) and not any(self._changes(one) for one in first)
        return False

    def _changes(self, node: ast.expr) -> bool:
        keys = {self.roles.key(self.scope, n.id) for n in walk(node) if isinstance(n, ast.Name)}
        return any(key is None or self._bound_later(key) for key in keys)

    def _stays_a_number(self, node: ast.Name) -> bool:
        """Whether nothing but a number that is given or added changes the name from the loop on."""
        key = self.roles.key(self.scope, node.id)
        if key is None or any(node.id in bound_otherwise(n) for n in walk(self.source.tree)):
            return False
        return all(_gives_number(self.source.statement_of(n)) for n in self._bound_later(key))

    def _bound_later(self, key: Key) -> list[ast.Name]:
        """The places that may give the name another value once the loop has begun."""
        bound = (n for n in self.roles.mentions(key) if not isinstance(n.ctx, ast.Load))
        return [n for n in bound if not self._is_over(n)]

    def _is_over(self, node: ast.Name) -> bool:
        """Whether the place has run before the loop, for good: above it, in its scope or in the module's around it."""
        scope = self.source.scope_of(node)
        if scope is not self.scope and not isinstance(scope, ast.Module):
            return False
        return node.lineno < self.loop.lineno or (scope is not self.scope and scope is self.source.tree)

    def holds_at_first(self) -> bool | None:
        """Whether the test holds before the first turn; None when that is not known."""
        names = {n.id for n in walk(self.test) if isinstance(n, ast.Name)}
        facts = {name: fact for name in names if (fact := self._first(name)) is not None}
        match self.test:
            case ast.Compare(left=left, ops=[ast.GtE() | ast.Gt() as op], comparators=[right]):
                values = [found.value if found else None for found in (known(left, facts), known(right, facts))]
                match values:
                    case [int() as one, int() as other]:
                        return one >= other if isinstance(op, ast.GtE) else one > other
                return None
        return truth(self.test, facts)

    def _first(self, name: str) -> Known | None:
        """What the name surely holds when the loop begins: the one constant that it gets above it, in the same block or in the module."""
        key = self.roles.key(self.scope, name)
        if key is None:
            return None
        inside = {id(n) for n in walk(self.loop)}
        bound = [n for n in self.roles.mentions(key) if not isinstance(n.ctx, ast.Load) and id(n) not in inside]
        if len(bound) != 1:
            return None
        statement = self.source.statement_of(bound[0])
        around = [block for block in blocks(self.source.parents[self.loop]) if self.loop in block]
        near = any(statement in block for block in around) and statement.lineno < self.loop.lineno
        once = statement in self.source.tree.body and not self._changes(ast.Name(name, ast.Load()))
        match statement:
            case ast.Assign(targets=[ast.Name()], value=ast.Constant(value=bool() | int() | None as value)) if (
                near or once
            ):
                return Known(value)
        return None


def _gives_number(statement: ast.stmt) -> bool:
    match statement:
        case (
            ast.Assign(targets=[ast.Name()], value=ast.Constant(value=bool() | int() | float()))
            | ast.AugAssign(target=ast.Name(), op=ast.Add() | ast.Sub(), value=ast.Constant(value=int() | float()))
        ):
            return True
    return False
