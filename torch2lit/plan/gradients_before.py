"""Gradients that are there when the loop begins or that something looks at behind it, where the script clears behind the step.

for x in first: zero_grad(); backward(); step()          leaves the last ones
for x in second: backward(); step(); zero_grad()         begins with them, and Lightning would clear them
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.items import Item
from ..recover.syntax import Scope, walk, walk_scope
from ..recover.variables import Variable
from .before import statements_before
from .draft import Draft
from .held_parameters import holds_every
from .making import on_the_way
from .touched_gradients import touches
from .zeroing import only_zeroes, zeroed

_LEAVING = (ast.Break, ast.Continue, ast.Return, ast.Raise)


def leaves_gradients_before(draft: Draft, optimizer: Variable) -> ast.stmt | None:
    """What runs before the loop and may leave gradients of the optimizer's parameters behind."""
    found: ast.stmt | None = None
    for statement, scope in statements_before(draft):
        if (
            scope is draft.nest.entry.scope
            and _is_clearing(draft, statement, optimizer)
            and on_the_way(draft, statement)
        ):
            found = None
        elif found is None and _leaves_some(draft, statement, scope, optimizer):
            found = statement
    return found


def touches_gradients_before(draft: Draft) -> bool:
    """Whether what runs before the loop does more with gradients than to clear some."""
    entry = draft.nest.entry
    return any(zeroed(Item(s, entry)) is None and touches(draft, s) for s, _ in statements_before(draft))


def clears_first(draft: Draft, statement: ast.stmt, optimizer: Variable) -> bool:
    """Whether a statement clears the gradients of the optimizer's parameters before it does anything else with them."""
    for clearing in _clearing(draft, statement, optimizer):
        if clearing is statement:
            return True
        block = draft.source.block_of(clearing)
        before = block[: block.index(clearing)]
        if not any(touches(draft, n) for n in [*before, *_around(draft, clearing, statement)]):
            return True
    return False


def _leaves_some(draft: Draft, statement: ast.stmt, scope: Scope, optimizer: Variable) -> bool:
    if not touches(draft, statement):
        return False
    if scope is not draft.nest.entry.scope:
        return True
    return not any(_clears_last(draft, statement, c) for c in _clearing(draft, statement, optimizer))


def _clears_last(draft: Draft, statement: ast.stmt, clearing: ast.stmt) -> bool:
    """Whether nothing of the statement touches gradients without the clearing behind it."""
    if clearing is statement:
        return True
    block = draft.source.block_of(clearing)
    if any(isinstance(n, _LEAVING) for s in block for n in walk(s)):
        return False
    behind = block[block.index(clearing) + 1 :]
    return not any(touches(draft, n) for n in [*behind, *_around(draft, clearing, statement)])


def _clearing(draft: Draft, statement: ast.stmt, optimizer: Variable) -> Iterator[ast.stmt]:
    """The statements of a statement that clear all gradients of the optimizer's parameters and are not skipped by an exception."""
    for node in walk_scope([statement]):
        if isinstance(node, ast.Expr) and not _in_a_try(draft, node, statement):
            if _is_clearing(draft, node, optimizer):
                yield node


def _is_clearing(draft: Draft, statement: ast.stmt, optimizer: Variable) -> bool:
    item = Item(statement, draft.nest.entry)
    receiver = zeroed(item)
    return receiver is not None and only_zeroes(draft, item) and _holds_all(draft, receiver, item, optimizer)


def _in_a_try(draft: Draft, node: ast.stmt, statement: ast.stmt) -> bool:
    """Whether a part of a statement stands in a `try`, whose handlers may go on without it."""
    inside: ast.AST = node
    while inside is not statement:
        inside = draft.source.parents[inside]
        if isinstance(inside, ast.Try):
            return True
    return False


def _holds_all(draft: Draft, receiver: ast.expr, item: Item, optimizer: Variable) -> bool:
    if draft.variable(receiver, item.frame) is not optimizer:
        return holds_every(draft, receiver, item)
    key = draft.roles.key(optimizer.scope, optimizer.name)
    return key is not None and len(draft.roles.bindings(key)) == 1


def _around(draft: Draft, clearing: ast.stmt, statement: ast.stmt) -> Iterator[ast.AST]:
    """The parts of a statement beside the block that the clearing stands in."""
    inner: ast.AST = clearing
    block: list[ast.stmt] = draft.source.block_of(clearing)
    while inner is not statement:
        inner = draft.source.parents[inner]
        yield from (n for n in ast.iter_child_nodes(inner) if n not in block)
        block = [inner] if isinstance(inner, ast.stmt) else []
