"""What an evaluation returns, said by what it holds when its loop has ended.

rate = right / seen
return loss / seen, rate        →       loss / seen, right / seen
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from .draft import Draft
from .looks import Looks


def found_at_the_end(draft: Draft, items: list[Item], value: ast.expr | None) -> ast.expr | None:
    """The returned value without the names that the items bind before; None where an item does more than to find a value."""
    looks = Looks(draft)
    known: dict[str, ast.expr] = {}
    for item in items:
        bound = _bound(item.node) if item.kind == "statement" else None
        if bound is None or not looks.only(bound[1], item.frame):
            return None
        known[bound[0]] = _with(bound[1], known)
    if value is None or not known:
        return value or ast.Constant(None)
    return _nowhere(_with(value, known))


def _bound(node: ast.stmt) -> tuple[str, ast.expr] | None:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
    return None


def _with(node: ast.expr, known: dict[str, ast.expr]) -> ast.expr:
    class _Known(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return _with(known[node.id], {}) if node.id in known else node

    changed = _Known().visit(ast.parse(ast.unparse(node), mode="eval").body)
    assert isinstance(changed, ast.expr)
    return changed


def _nowhere(node: ast.expr) -> ast.expr:
    """The expression as one that stands nowhere in the script."""
    for part in ast.walk(node):
        for place in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
            if hasattr(part, place):
                delattr(part, place)
    return node
