"""Does the training loop only ever run behind the wrapping of its model, in a function that the wrapping one calls once?

def main():                                   def train(model, loader):
    model = DDP(Net())                            for epoch in range(3):
    train(model, loader)                              ...
"""

from __future__ import annotations

import ast
from collections.abc import Container

from ..recover.nest import Nest
from ..recover.syntax import Scope, Source

_REPEATS = (ast.For, ast.While, ast.AsyncFor, ast.comprehension, ast.Lambda)
_DEEPEST = 4


def wraps_before(source: Source, wrapping: ast.stmt, nest: Nest, wanted: Container[str]) -> bool:
    """Whether the loop stands below a statement of its function, or in one that is called there, once.

    ``wanted`` are the names of the file that other files use: they may call what they name.
    """
    scope = source.scope_of(wrapping)
    if scope is nest.entry.scope:
        return wrapping.lineno <= nest.outermost.lineno
    inner: Scope = nest.entry.scope
    for _ in range(_DEEPEST):
        call = _only_call(source, inner, wanted)
        if call is None:
            return False
        inner = source.scope_of(call)
        if _repeats(source, call, inner):
            return False
        if inner is scope:
            return wrapping.lineno < call.lineno
    return False


def _only_call(source: Source, scope: Scope, wanted: Container[str]) -> ast.Call | None:
    """The one call of a plain function that nothing else names; None when there is none, or more."""
    if not isinstance(scope, ast.FunctionDef) or scope.decorator_list or scope.name in wanted:
        return None
    if source.function(scope.name) is not scope or source.parents[scope] is not source.tree:
        return None
    calls = source.calls_to(scope.name)
    named = [n for n in source.all(ast.Name) if n.id == scope.name]
    return calls[0] if len(calls) == len(named) == 1 else None


def _repeats(source: Source, event: ast.AST, scope: Scope) -> bool:
    for ancestor in source.ancestors(event):
        if ancestor is scope:
            return False
        if isinstance(ancestor, _REPEATS):
            return True
    return False


def runs_behind(source: Source, node: ast.AST, loop: ast.stmt, depth: int = 0) -> bool:
    """Whether a node surely runs when the loop is over, as far as it runs at all."""
    scope, home = source.scope_of(node), source.scope_of(loop)
    line = getattr(node, "lineno", 0)
    if scope is home:
        return line > (loop.end_lineno or 0) and not _repeats(source, loop, scope)
    if isinstance(home, ast.FunctionDef) and source.function(home.name) is home:
        named = [n for n in source.all(ast.Name) if n.id == home.name]
        calls = [c for c in source.calls_to(home.name) if source.scope_of(c) is scope]
        if len(named) == len(calls) == 1:
            return line > (calls[0].end_lineno or 0) and not _repeats(source, calls[0], scope)
    if not isinstance(scope, ast.FunctionDef) or source.function(scope.name) is not scope or depth > _DEEPEST:
        return False
    named = [n for n in source.all(ast.Name) if n.id == scope.name]
    calls = list(source.calls_to(scope.name))
    return len(named) == len(calls) > 0 and all(runs_behind(source, c, loop, depth + 1) for c in calls)
