"""Functions that do nothing but clear gradients: a batch that calls one clears them itself.

def reset_grad(self):                     self.reset_grad()               self.g_optimizer.zero_grad()
    self.g_optimizer.zero_grad()     →    loss.backward()            →    self.d_optimizer.zero_grad()
    self.d_optimizer.zero_grad()                                          loss.backward()
"""

from __future__ import annotations

import ast

from .items import Item, callee_items, enter_frame
from .nest import Frame, Nest
from .syntax import Source


def with_clearing(source: Source, items: list[Item], nest: Nest) -> list[Item]:
    """The items of a batch, with what such functions do in place of their calls."""
    found = {id(item): frame for item in items if (frame := clearing_frame(source, item)) is not None}
    scopes = [frame.scope for frame in found.values()]
    once = {key: frame for key, frame in found.items() if scopes.count(frame.scope) == 1}
    nest.clearing = [*once.values()]
    return [part for item in items for part in _parts(item, once.get(id(item)))]


def clearing_frame(source: Source, item: Item) -> Frame | None:
    """The frame of the function that an item calls, where it clears and does nothing else."""
    match item.node:
        case ast.Expr(value=ast.Call() as call) if item.kind == "statement":
            frame = enter_frame(source, call, item.frame)
            return frame if not isinstance(frame, str) and clearings(frame) else None
    return None


def clearings(frame: Frame) -> list[ast.stmt]:
    """The statements of such a function; none where it does anything else."""
    assert isinstance(frame.scope, ast.FunctionDef) and frame.statement is not None
    _binds, body, result = callee_items(frame, frame.statement)
    nodes = [part.node for part in body]
    return nodes if not result and all(map(_clears, nodes)) else []


def _parts(item: Item, frame: Frame | None) -> list[Item]:
    if frame is None:
        return [item]
    binds, body, _result = callee_items(frame, item.node)
    return [*binds, *body]


def _clears(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="zero_grad"))):
            return True
    return False
