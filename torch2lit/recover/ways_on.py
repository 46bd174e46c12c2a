"""What of a statement has run when the code behind it runs: a branch that leaves is none of it.

if args.evaluate:                       only `args.evaluate` is asked on the way to the training
    validate(val_loader, model)
    return
for epoch in range(90): ...
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .syntax import dotted

_EXITS = ("sys.exit", "exit", "quit", "os._exit")


def gives_up(block: Sequence[ast.stmt]) -> bool:
    """Whether a block ends the program."""
    match block[-1:]:
        case [ast.Raise()]:
            return True
        case [ast.Expr(value=ast.Call(func=function))]:
            return dotted(function) in _EXITS
    return False


def ways_on(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement from which a way leads to the statement behind it; itself when none of them leaves."""
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            inner = [[part for s in block for part in ways_on(s)] for block in (body, orelse) if not _leaves(block)]
            parts: list[ast.AST] = [test, *(part for block in inner for part in block)]
            return [statement] if {*body, *orelse} <= {*parts} else parts
    return [statement]


def _leaves(block: list[ast.stmt]) -> bool:
    return isinstance(block[-1], ast.Return) or gives_up(block) if block else False
