"""How many of several calls run on one path through a batch: arms of one condition exclude each other."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import combinations

from ..recover.syntax import Source, blocks

_MOST = 8
_LEAVES = (ast.Continue, ast.Break, ast.Return, ast.Raise)


def several_told(source: Source, calls: Sequence[ast.AST], one: str, many: str) -> str:
    """What a batch has too many of, in words that are true of each path through it."""
    count = on_one_path(source, calls)
    if not calls:
        return f"no {one} of its own in the batch"
    loops = {_loop_around(source, call) for call in calls}
    if None not in loops and len(loops) > 1:
        return f"{len(calls)} {many}, not all in the same loop"
    if count == len(calls):
        return f"{count} {many} per batch"
    if count == 1:
        return f"{len(calls)} {many}, of which each batch runs one"
    return f"up to {count} of {len(calls)} {many} per batch"


def _loop_around(source: Source, call: ast.AST) -> ast.AST | None:
    """The loop around a call; None where its function may be called in a loop of another one."""
    for above in source.ancestors(call):
        if isinstance(above, ast.For | ast.While):
            return above
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
    return None


def on_one_path(source: Source, calls: Sequence[ast.AST]) -> int:
    """The largest number of calls of which none excludes another one."""
    if len(calls) > _MOST:
        return len(calls)
    for size in range(len(calls), 1, -1):
        for some in combinations(calls, size):
            if not any(_exclude(source, a, b) for a, b in combinations(some, 2)):
                return size
    return min(len(calls), 1)


def _exclude(source: Source, first: ast.AST, second: ast.AST) -> bool:
    """Whether a run that reaches one of the calls cannot reach the other in the same turn."""
    mine, theirs = _path(source, first), _path(source, second)
    for node, block in mine.items():
        if node in theirs and theirs[node] != block:
            return isinstance(node, ast.If | ast.Match) or (
                isinstance(node, ast.Try) and all(_is_handler(node, index) for index in (block, theirs[node]))
            )
    (_earlier, path), (_later, other) = sorted(((first, mine), (second, theirs)), key=lambda one: one[0].lineno)  # type: ignore[attr-defined]
    return any(
        isinstance(node, ast.If) and node not in other and isinstance(list(blocks(node))[block][-1], _LEAVES)
        for node, block in path.items()
    )


def _path(source: Source, call: ast.AST) -> dict[ast.AST, int]:
    """The statements around a call with the number of the block in which it stands."""
    found: dict[ast.AST, int] = {}
    inner = {id(call)} | {id(a) for a in source.ancestors(call)}
    for node in source.ancestors(call):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        if isinstance(node, ast.stmt):
            for index, block in enumerate(blocks(node)):
                if any(id(s) in inner for s in block):
                    found[node] = index
    return found


def _is_handler(node: ast.Try, index: int) -> bool:
    block = list(blocks(node))[index]
    return any(block is handler.body for handler in node.handlers)
