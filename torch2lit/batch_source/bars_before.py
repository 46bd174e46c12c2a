"""A bar that is made in front of the loop over its turns, which shows the batches then.

with tqdm(range(n)) as bar:             with tqdm(TrainBatches(...)) as bar:
    for step in bar: ...          →         for step, (x, y) in enumerate(bar): ...
"""

from __future__ import annotations

import ast

from ..recover.loops import Loop
from ..recover.names import flow
from ..recover.roles import Roles
from ..recover.syntax import blocks


def bar_before(loop: ast.For, described: Loop, roles: Roles) -> ast.expr | None:
    """The call that makes the bar under whose name alone the loop turns; None for any other head."""
    if not isinstance(loop.iter, ast.Name) or loop.iter.id != described.bar_name:
        return None
    parent = roles.source.parents[loop]
    block = next((b for b in blocks(parent) if loop in b), [])
    made = _entered(parent, loop) if isinstance(parent, ast.With) else _assigned(block, loop)
    return made if made is not None and made.lineno == made.end_lineno else None


def bound_since(loop: ast.For, bar: ast.expr, roles: Roles) -> frozenset[str]:
    """The names that get another value between the bar and the loop."""
    made = roles.source.statement_of(bar)
    block = next((b for b in blocks(roles.source.parents[loop]) if loop in b), [])
    return flow(block[block.index(made) + 1 : block.index(loop)]).written if made in block else frozenset()


def _entered(block: ast.With, loop: ast.For) -> ast.expr | None:
    """The bar of a `with` whose body begins with the loop."""
    assert isinstance(loop.iter, ast.Name)
    if block.body[0] is not loop:
        return None
    for item in block.items:
        if isinstance(item.optional_vars, ast.Name) and item.optional_vars.id == loop.iter.id:
            return item.context_expr
    return None


def _assigned(block: list[ast.stmt], loop: ast.For) -> ast.expr | None:
    """The bar that a statement of the same block has given the name last."""
    assert isinstance(loop.iter, ast.Name)
    for statement in reversed(block[: block.index(loop)] if block else []):
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == loop.iter.id:
                return value
        if loop.iter.id in flow([statement]).written:
            return None
    return None
