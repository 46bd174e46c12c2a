"""What runs before a loop: in its own scope, and in the callers of its function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.syntax import Scope
from .draft import Draft
from .statements_between import statements_between

_CALLERS = 3


def statements_before(draft: Draft) -> Iterator[tuple[ast.stmt, Scope]]:
    """The statements with their scopes: those of the callers, then those of the loop's own scope, in order."""
    scope = draft.nest.entry.scope
    yield from _in_callers(draft, scope)
    for statement in statements_between(draft, 0):
        yield statement, scope


def _in_callers(draft: Draft, scope: Scope) -> Iterator[tuple[ast.stmt, Scope]]:
    source = draft.source
    scopes, seen = [scope], {scope}
    for _ in range(_CALLERS):
        calls = [c for s in scopes if isinstance(s, ast.FunctionDef) for c in source.calls_to(s.name)]
        scopes = []
        for call in calls:
            outer = source.scope_of(call)
            yield from ((s, outer) for s in _earlier(draft, call, outer))
            if outer not in seen:
                seen.add(outer)
                scopes.append(outer)


def _earlier(draft: Draft, call: ast.Call, outer: Scope) -> Iterator[ast.stmt]:
    """The statements of a scope that stand before a call, in its blocks and those around it."""
    node: ast.AST = draft.source.statement_of(call)
    for ancestor in draft.source.ancestors(node):
        for block in (getattr(ancestor, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(block, list) and node in block:
                definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
                yield from (s for s in block[: block.index(node)] if not isinstance(s, definitions))
        if ancestor is outer:
            break
        node = ancestor
