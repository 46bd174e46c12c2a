"""What runs between a line of the entry function and the loop."""

from __future__ import annotations

import ast

from .draft import Draft


def statements_between(draft: Draft, line: int) -> list[ast.stmt]:
    """The statements of the entry scope between a line and the loop, in order, whole blocks included."""
    found: list[ast.stmt] = []
    node: ast.AST = draft.nest.outermost
    for ancestor in draft.source.ancestors(node):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(ancestor, name, None)
            if isinstance(block, list) and node in block:
                found.extend(s for s in block[: block.index(node)] if s.lineno > line)
        if ancestor is draft.nest.entry.scope:
            break
        node = ancestor
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return sorted((s for s in found if not isinstance(s, definitions)), key=lambda s: s.lineno)
