"""Whether running code reads a name, whichever way its tests go."""

from __future__ import annotations

import ast

from ..recover.names import flow


def surely_read(body: list[ast.stmt], name: str) -> bool:
    """Whether running a block once reads the name whatever happens; every loop is taken to turn at least once."""
    for statement in body:
        match statement:
            case ast.If(test=test) | ast.While(test=test):
                parts: list[ast.AST] = [test]
                inner = statement.body if isinstance(statement, ast.While) else []
                both = isinstance(statement, ast.If) and all(
                    surely_read(b, name) for b in (statement.body, statement.orelse)
                )
            case ast.For(iter=looped):
                parts, inner, both = [looped], statement.body, False
            case ast.With(items=items):
                parts, inner, both = [*items], statement.body, False
            case ast.Try():
                parts, inner, both = [], statement.body, False
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                continue
            case _:
                parts, inner, both = [statement], [], False
        if both or any(name in flow([p]).read and _always(p, name) for p in parts) or surely_read(inner, name):
            return True
    return False


def _always(node: ast.AST, name: str) -> bool:
    """Whether evaluating an expression or a plain statement reads the name whatever comes of its parts."""
    match node:
        case ast.Name(id=own):
            return own == name
        case ast.Lambda():
            return False
        case ast.IfExp(test=test):
            return _always(test, name)
        case ast.BoolOp(values=values):
            return _always(values[0], name)
        case ast.Compare(left=left, comparators=[first, *_]):
            return _always(left, name) or _always(first, name)
        case (
            ast.ListComp(generators=generators)
            | ast.SetComp(generators=generators)
            | ast.GeneratorExp(generators=generators)
            | ast.DictComp(generators=generators)
        ):
            return _always(generators[0].iter, name)
    return any(_always(child, name) for child in ast.iter_child_nodes(node))
