"""Where Fabric is made and launched: in the one function that needs it, else for the whole module."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from ...recover.nest import enclosing_loops
from ...recover.syntax import Source, walk

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Place:
    """``make`` is the statement before which Fabric is made, ``launch`` the one before which it is launched.

    Without ``launch`` the file is only imported, and the script that runs launches its own.
    """

    make: ast.stmt | None = None
    launch: ast.stmt | None = None


def place_of(source: Source, needs: Sequence[ast.AST], asks: Sequence[ast.AST]) -> Place:
    """The place for the nodes that need Fabric launched, and for those that only ask it for its device."""
    tops = [_top(source, n) for n in (*needs, *asks)]
    guard = next((s for s in source.tree.body if isinstance(s, ast.If) and _is_guard(s)), None)
    functions = {t for t in tops if isinstance(t, ast.FunctionDef)}
    if len(functions) == 1 and all(t in functions for t in tops):
        function = functions.pop()
        if _runs_once(source, function) and (first := _first(function)) is not None:
            return Place(first, first)
    if guard is not None and all(t is guard for t in tops):
        first = guard.body[0]
        return Place(first, first) if first.lineno > guard.lineno else Place(guard, guard)
    first_need = min(tops, key=lambda s: s.lineno)
    at_import = any(t is not guard and not isinstance(t, _DEFINITIONS) for t in tops[: len(needs)])
    if guard is not None and guard.body[0].lineno > guard.lineno and not at_import:
        return Place(first_need, guard.body[0])
    return Place(first_need, first_need if at_import or _is_run(source) else None)


def _top(source: Source, node: ast.AST) -> ast.stmt:
    """The statement of the module that holds the node."""
    while source.parents[node] is not source.tree:
        node = source.parents[node]
    assert isinstance(node, ast.stmt)
    return node


def _is_guard(statement: ast.If) -> bool:
    return "__name__" in ast.unparse(statement.test) and not statement.orelse


def _runs_once(source: Source, function: ast.FunctionDef) -> bool:
    """Whether the file calls the function in one place outside of loops."""
    if function.decorator_list:
        return False
    names = [n for n in source.all(ast.Name) if n.id == function.name]
    if len(names) != 1:
        return False
    call, scope = source.parents[names[0]], source.scope_of(names[0])
    return isinstance(call, ast.Call) and call.func is names[0] and not enclosing_loops(source, call, scope)


def _first(function: ast.FunctionDef) -> ast.stmt | None:
    """The function's first statement after its docstring, when it has lines of its own."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and len(body) > 1:
        body = body[1:]
    while isinstance(body[0], ast.Global | ast.Nonlocal) and len(body) > 1:
        body = body[1:]
    above = function.body[0]
    return body[0] if above.lineno > function.lineno and body[0].col_offset == above.col_offset else None


def _is_run(source: Source) -> bool:
    """Whether the module itself does something when it runs, rather than only define things."""
    for statement in source.tree.body:
        if isinstance(statement, ast.For | ast.While | ast.With | ast.Try):
            if any(isinstance(n, ast.Call) for n in walk(statement)):
                return True
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            return True
    return False
