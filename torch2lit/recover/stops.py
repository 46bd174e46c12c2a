"""What takes the StopIteration of an iterator that has ended."""

from __future__ import annotations

import ast

from .syntax import Source, dotted

TAKE_IT = {"StopIteration", "Exception", "BaseException"}


def caught(handler: ast.ExceptHandler) -> set[str]:
    """The names of the exceptions that a handler takes, empty for a bare `except`."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type] if handler.type else []
    return {dotted(kind).rpartition(".")[2] for kind in kinds}


def suppresses(item: ast.withitem) -> bool:
    """Whether a context, as ``suppress(StopIteration)``, takes it."""
    call = item.context_expr
    if not isinstance(call, ast.Call) or dotted(call.func).rpartition(".")[2] != "suppress":
        return False
    return any(dotted(a).rpartition(".")[2] in TAKE_IT for a in call.args)


def taker_of_stops(source: Source, loop: ast.AST) -> int | None:
    """The line of what takes StopIteration around the loop, in the functions that call it as well."""
    waiting: list[ast.AST] = [loop]
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        for above in source.ancestors(node):
            if isinstance(above, ast.Try) and node in above.body and _may_take(above):
                return above.lineno
            if isinstance(above, ast.With) and any(suppresses(i) for i in above.items):
                return above.lineno
            node = above
            if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
                if above.name not in seen:
                    seen.add(above.name)
                    waiting += source.calls_to(above.name)
                break
    return None


def _may_take(block: ast.Try) -> bool:
    names = [caught(handler) for handler in block.handlers]
    return any(not n or n & TAKE_IT for n in names)
