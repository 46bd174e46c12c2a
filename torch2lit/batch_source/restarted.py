"""Iterators that a turn starts again when they are at their end, or when it is time: the source of the batches can hold them.

try:                                    if (step + 1) % len(loader) == 0:
    x, y = next(batches)                    batches = iter(loader)
except StopIteration:                   x, y = next(batches)
    batches = iter(loader)
    x, y = next(batches)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.names import target_names
from ..recover.syntax import dotted

_ENDS = ("", "StopIteration", "Exception")


@dataclass(frozen=True, slots=True)
class Restart:
    """The name of the iterator, and the names that surely hold the batch behind the statement."""

    iterator: str
    batch: tuple[str, ...] = ()


def restart_of(statement: ast.stmt) -> Restart | None:
    """What a statement that does no more than start an iterator again starts again."""
    match statement:
        case ast.Try(
            body=[ast.Assign(targets=[target], value=asked)],
            handlers=[ast.ExceptHandler(type=kind, name=None, body=[started, ast.Assign() as again])],
            orelse=[],
            finalbody=[],
        ) if (kind is None or dotted(kind) in _ENDS) and (name := asked_iterator(asked)):
            same = [ast.dump(t) for t in again.targets] == [ast.dump(target)] and asked_iterator(again.value) == name
            return Restart(name, tuple(target_names(target))) if same and _started(started) == name else None
        case ast.If(body=[started], orelse=[]) if name := _started(started):
            return Restart(name)
    return None


def asked_iterator(value: ast.expr) -> str:
    """The name of the iterator that is asked for its next value."""
    match value:
        case (
            ast.Call(func=ast.Name(id="next"), args=[ast.Name(id=name)], keywords=[])
            | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="next" | "__next__"), args=[], keywords=[])
        ):
            return name
    return ""


def _started(statement: ast.stmt) -> str:
    match statement:
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Call(func=ast.Name(id="iter"), args=[ast.Name() as over], keywords=[]),
        ) if over.id != name:
            return name
    return ""
