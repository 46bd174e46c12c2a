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


def rest_of_blocks(draft: Draft, statement: ast.stmt) -> list[ast.stmt]:
    """What runs behind a statement in the blocks around it that do not hold the loop."""
    found: list[ast.stmt] = []
    source, way = draft.source, [*draft.source.ancestors(draft.nest.outermost)]
    while source.parents[statement] not in way:
        block, above = source.block_of(statement), source.parents[statement]
        found += block[block.index(statement) + 1 :]
        if not isinstance(above, ast.stmt):
            break
        statement = above
    return found
