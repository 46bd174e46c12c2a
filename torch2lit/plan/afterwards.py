"""What runs after the loop."""

from __future__ import annotations

import ast

from .draft import Draft


def statements_after(draft: Draft) -> list[ast.stmt]:
    """The statements of the entry scope that run after the epoch loop, in order."""
    found: list[ast.stmt] = list(draft.nest.outermost.orelse)
    node: ast.AST = draft.nest.outermost
    for ancestor in draft.source.ancestors(node):
        for name in ("body", "orelse", "finalbody", "handlers"):
            block = getattr(ancestor, name, None)
            if isinstance(block, list) and node in block:
                found.extend(s for s in block[block.index(node) + 1 :] if isinstance(s, ast.stmt))
        if isinstance(ancestor, ast.Try):
            found.extend(s for block in (ancestor.orelse, ancestor.finalbody) for s in block if s not in found)
        if ancestor is draft.nest.entry.scope:
            break
        if isinstance(ancestor, ast.For | ast.While):
            found.extend(s for s in ancestor.body if s.lineno < draft.nest.outermost.lineno)
        node = ancestor
    return found
