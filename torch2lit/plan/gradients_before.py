"""Gradients that are there when the loop begins: a script that clears them behind the step adds its first ones to those.

for x in first: zero_grad(); backward(); step()          leaves the last ones
for x in second: backward(); step(); zero_grad()         begins with them, and Lightning would clear them
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.effects import touches_gradients
from ..recover.syntax import Scope, walk
from .draft import Draft
from .making import statements_between

_CALLERS = 3


def leaves_gradients_before(draft: Draft) -> ast.stmt | None:
    """What runs before the loop and may leave gradients of the parameters behind."""
    return next((s for s, scope in _before(draft) if _leaves_some(draft, s, scope)), None)


def _before(draft: Draft) -> Iterator[tuple[ast.stmt, Scope]]:
    """What runs before the loop, in the callers of its function, too."""
    scope = draft.nest.entry.scope
    for statement in statements_between(draft, 0):
        yield statement, scope
    source = draft.source
    scopes, seen = [scope], {scope}
    for _ in range(_CALLERS):
        calls = [c for s in scopes if isinstance(s, ast.FunctionDef) for c in source.calls_to(s.name)]
        scopes = []
        for call in calls:
            outer = source.scope_of(call)
            node: ast.AST = source.statement_of(call)
            for ancestor in source.ancestors(node):
                for block in (getattr(ancestor, name, None) for name in ("body", "orelse", "finalbody")):
                    if isinstance(block, list) and node in block:
                        for earlier in block[: block.index(node)]:
                            if not isinstance(earlier, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                                yield earlier, outer
                if ancestor is outer:
                    break
                node = ancestor
            if outer not in seen:
                seen.add(outer)
                scopes.append(outer)


def _leaves_some(draft: Draft, statement: ast.stmt, scope: Scope) -> bool:
    if not draft.effects.of(statement, scope).gradients:
        return False
    touched = [n for n in walk(statement) if touches_gradients(n)]
    if not touched:
        return True  # in a function that it calls
    last = max(touched, key=lambda n: (getattr(n, "lineno", 0), getattr(n, "col_offset", 0)))
    return not any(_clears(s) and last in list(walk(s)) and _beside_backward(draft, s) for s in _statements(statement))


def _statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    yield from (n for n in walk(statement) if isinstance(n, ast.Expr))


def _clears(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="zero_grad"), args=[], keywords=[])):
            return True
    return False


def _beside_backward(draft: Draft, statement: ast.stmt) -> bool:
    """Whether the statement clears whenever its block has computed gradients."""
    calls = (n for s in draft.source.block_of(statement) for n in walk(s) if isinstance(n, ast.Attribute))
    return any(n.attr == "backward" for n in calls)
