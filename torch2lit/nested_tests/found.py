"""An evaluation under a condition inside of another one, in an epoch or a batch: its block may be written as three, one after the other.

if epoch >= 3:                              if epoch >= 3:
    accuracy = measure(output)                  accuracy = measure(output)
    if not args.fast:                       if epoch >= 3 and not args.fast:
        found = evaluate(model, loader)         found = evaluate(model, loader)
    print(accuracy)                         if epoch >= 3:
                                                print(accuracy)

It is the same where both conditions only look at numbers that nothing in the loop changes, and at the loop's own counter. In a loop over
batches it is the block of an accumulated step: ``if (i + 1) % args.accumulate == 0:``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..recover.effects import EffectAnalysis, effects_of
from ..recover.items import no_grad_with
from ..recover.loops import Iterable, describe
from ..recover.nest import Nest
from ..recover.phases import has_backward
from ..recover.role import Role
from ..recover.roles import Roles
from ..recover.syntax import dotted, walk, walk_scope

_LOOKS = (
    ast.Name, ast.Attribute, ast.Constant, ast.Compare, ast.UnaryOp, ast.BoolOp, ast.BinOp, ast.operator, ast.expr_context, ast.boolop,
    ast.unaryop, ast.cmpop,
)  # fmt: skip
_NUMBERS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot)


@dataclass(frozen=True, slots=True)
class Nested:
    """``outer``, a statement of an epoch, and ``inner``, a statement of its block under which the evaluation stands."""

    outer: ast.If
    inner: ast.If
    in_batch: bool = False
    """Whether it is a statement of the loop over batches."""


def find_nested(nests: list[Nest], roles: Roles, path: str) -> list[Nested]:
    """Those of a program, at most one of each training loop."""
    effects = effects_of(roles, path)
    found = [_in_nest(nest, roles, effects) for nest in nests]
    return [one for one in found if one is not None]


def _in_nest(nest: Nest, roles: Roles, effects: EffectAnalysis) -> Nested | None:
    if nest.epochs is None:
        return None
    epochs, batches = nest.epochs.node, nest.batches.node if nest.batches is not None else None
    found = None
    if isinstance(epochs, ast.For) and roles.source.scope_of(epochs) is nest.entry.scope:
        found = _in_loop(epochs, _Steady(roles, effects, epochs), has_backward)
    if found is not None or not isinstance(batches, ast.For):
        return found
    found = _in_loop(batches, _Steady(roles, effects, batches), lambda outer: not _loops_over_loader(outer, roles))
    return replace(found, in_batch=True) if found is not None else None


def _in_loop(loop: ast.For, steady: _Steady, is_left: Callable[[ast.stmt], bool]) -> Nested | None:
    """The first one of a loop's body, among the statements that are not left alone."""
    for outer in loop.body:
        if not isinstance(outer, ast.If) or outer.orelse or is_left(outer):
            continue
        for inner in outer.body:
            if not isinstance(inner, ast.If) or not any(
                _evaluates(s, steady.roles) for s in (*inner.body, *inner.orelse)
            ):
                continue
            if steady.looks(outer.test) and (not inner.orelse or steady.looks(inner.test)):
                return Nested(outer, inner)
    return None


def _loops_over_loader(statement: ast.stmt, roles: Roles) -> bool:
    """Whether a statement, or a function of the file that it calls, has a loop over a loader."""
    source = roles.source
    called = (source.function(dotted(n.func)) for n in walk_scope(statement) if isinstance(n, ast.Call))
    blocks = [statement, *(s for function in called if function is not None for s in function.body)]
    loops = (n for block in blocks for n in walk_scope(block) if isinstance(n, ast.For))
    return any(describe(n, source.scope_of(n), roles).kind is Iterable.LOADER for n in loops)


def _evaluates(statement: ast.stmt, roles: Roles) -> bool:
    """Whether a statement may be an evaluation, or a condition around one."""
    source = roles.source
    if isinstance(statement, ast.If):
        return any(_evaluates(s, roles) for s in (*statement.body, *statement.orelse))
    if isinstance(statement, ast.For):
        return describe(statement, source.scope_of(statement), roles).kind is Iterable.LOADER
    if no_grad_with(statement):
        return True
    called = (source.function(dotted(n.func)) for n in walk_scope(statement) if isinstance(n, ast.Call))
    return any(
        isinstance(n, ast.Attribute) and n.attr in ("eval", "no_grad", "inference_mode")
        for function in called
        if function is not None
        for part in (*function.decorator_list, *function.body)
        for n in walk(part)
    )


class _Steady:
    """Says of conditions whether they hold all through a turn of the loop, or not at all."""

    def __init__(self, roles: Roles, effects: EffectAnalysis, loop: ast.For) -> None:
        self.roles, self.source = roles, roles.source
        self.scope = self.source.scope_of(loop)
        self.changed = frozenset(key for s in loop.body for key in effects.of(s, self.scope).mutates)
        names = (n for s in loop.body for n in walk(s) if isinstance(n, ast.Name))
        self.bound = {n.id for n in names if not isinstance(n.ctx, ast.Load)}
        attributes = self.source.all(ast.Attribute)
        self.stored = {n.attr for n in attributes if not isinstance(n.ctx, ast.Load)}
        self.by_text = any(
            isinstance(n.func, ast.Name) and n.func.id in ("setattr", "exec", "vars", "delattr")
            for n in self.source.calls
        )

    def looks(self, test: ast.expr) -> bool:
        """Whether a condition only compares numbers, texts and flags that stay as they are."""
        if not all(isinstance(n, _LOOKS) for n in walk(test)):
            return False
        compared = [op for n in walk(test) if isinstance(n, ast.Compare) for op in n.ops]
        if not all(isinstance(op, _NUMBERS) for op in compared):
            return False
        return all(self._stays(n) for n in walk(test) if isinstance(n, ast.Name | ast.Attribute))

    def _stays(self, node: ast.Name | ast.Attribute) -> bool:
        if isinstance(node, ast.Attribute):
            settings = isinstance(node.value, ast.Name) and self.roles.of(node.value, self.scope) is Role.CONFIG
            return settings and node.attr not in self.stored and not self.by_text
        key = self.roles.key(self.scope, node.id)
        return (
            key is not None
            and node.id not in self.bound
            and key not in self.changed
            and not self.roles.rebound_unseen(key)
        )
