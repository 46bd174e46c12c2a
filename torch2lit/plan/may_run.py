"""Which code may run when some code runs: its own, and that of every function whose name it mentions."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..recover.syntax import Source, root_name, walk
from .draft import Draft

_ALWAYS_RUN = {"__getitem__", "__iter__", "__next__", "__call__", "__len__", "__getitems__", "forward"}
_BY_TEXT = ("setattr", "globals", "sys.modules", "import __main__", "exec(")
"""What may give an object a function for a method without its name."""


def may_run(source: Source, code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node of the code and of functions and methods that it may call, by name: too many rather than too few."""
    waiting = list(code)
    named: set[str] = set()
    asked: set[str] = set()
    seen = {id(node) for node in waiting}
    apart = _never_attributes(source)
    while waiting:
        for node in walk(waiting.pop()):
            yield node
            if isinstance(node, ast.Name):
                named.add(node.id)
            elif isinstance(node, ast.Attribute):
                asked.add(node.attr)
        for function in source.functions:
            known = function.name in named or (function.name in _ALWAYS_RUN and source.in_class(function))
            known = known or (function.name in asked and id(function) not in apart)
            if known and id(function) not in seen:
                seen.add(id(function))
                waiting.append(function)


def _never_attributes(source: Source) -> set[int]:
    """The functions of a script that no object has for a method: ``model.train()`` is not its function ``train``.

    They are only called by their names, so that nobody can keep one, and no module is asked for one.
    """
    if source.view is not None or any(word in source.text for word in _BY_TEXT):
        return set()
    attributes = source.all(ast.Attribute)
    held = {n.attr for n in attributes if not isinstance(n.ctx, ast.Load)}
    imported = [a for one in source.all(ast.Import) for a in one.names]
    imported += [a for one in source.all(ast.ImportFrom) for a in one.names]
    modules = {(a.asname or a.name).partition(".")[0] for a in imported}
    held |= {n.attr for n in attributes if root_name(n) in modules}
    held |= {n.id for n in source.all(ast.Name) if not _is_called(source, n)}
    plain = (f for f in source.functions if source.parents.get(f) is source.tree and not f.decorator_list)
    return {id(f) for f in plain if f.name not in held}


def _is_called(source: Source, name: ast.Name) -> bool:
    call = source.parents.get(name)
    return isinstance(call, ast.Call) and call.func is name


def runs_in_loop(draft: Draft) -> Iterator[ast.AST]:
    """Every node that may run while the loop runs."""
    functions = [f.scope for f in draft.nest.entered if not isinstance(f.scope, ast.Module)]
    own = [f for f in functions if f is not draft.nest.entry.scope]
    return may_run(draft.source, [draft.nest.outermost, *own])
