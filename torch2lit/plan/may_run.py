"""Which code may run when some code runs: its own, and that of every function whose name it mentions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..recover.syntax import Source, walk
from .draft import Draft

_ALWAYS_RUN = {"__getitem__", "__iter__", "__next__", "__call__", "__len__", "__getitems__", "forward"}


def may_run(source: Source, code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node of the code and of functions and methods that it may call, by name: too many rather than too few."""
    waiting = list(code)
    named: set[str] = set()
    seen = {id(node) for node in waiting}
    while waiting:
        for node in walk(waiting.pop()):
            yield node
            if isinstance(node, ast.Name):
                named.add(node.id)
            elif isinstance(node, ast.Attribute):
                named.add(node.attr)
        for function in source.functions:
            known = function.name in named or (function.name in _ALWAYS_RUN and source.in_class(function))
            if known and id(function) not in seen:
                seen.add(id(function))
                waiting.append(function)


def runs_in_loop(draft: Draft) -> Iterator[ast.AST]:
    """Every node that may run while the loop runs."""
    functions = [f.scope for f in draft.nest.entered if not isinstance(f.scope, ast.Module)]
    own = [f for f in functions if f is not draft.nest.entry.scope]
    return may_run(draft.source, [draft.nest.outermost, *own])
