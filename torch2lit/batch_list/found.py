"""Loops over a list that stays as it is: each of its elements is one batch.

pairs = [(words(line), tag) for line, tag in lines]         pairs = [(words(line), tag) for line, tag in lines]
                                                            loader = DataLoader(pairs, batch_size=None, ...)
for epoch in range(9):                                →     for epoch in range(9):
    for sentence, tag in pairs: ...                             for sentence, tag in loader: ...

Lightning takes a list for several loaders, and hands over containers that it has made anew: nobody may change the list, nor what it holds.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.loops import Iterable
from ..recover.nest import Nest
from ..recover.plain_lists import is_plain_list
from ..recover.roles import Roles
from .filled import filling_of
from .kept import keeps_elements


@dataclass(frozen=True, slots=True)
class BatchList:
    """The name of a list in the head of a loop over batches, and the statement that becomes the Trainer's call."""

    name: ast.Name
    outermost: ast.stmt


def find_batch_lists(nests: list[Nest], roles: Roles) -> list[BatchList]:
    """Every such loop of the program."""
    if any(isinstance(f, ast.FunctionDef) and f.name == "to" for f in roles.source.functions):
        return []  # Lightning moves whatever can be moved
    if "dataclasses" in {origin.partition(".")[0] for origin in roles.origins.values()}:
        return []  # and copies whole objects of such classes
    return [found for nest in nests if (found := _batch_list(nest, roles)) is not None]


def _batch_list(nest: Nest, roles: Roles) -> BatchList | None:
    loop = nest.batches
    if loop is None or nest.epochs is None or nest.inner is not nest.entry or loop.kind is not Iterable.UNKNOWN:
        return None
    if not isinstance(loop.base, ast.Name) or not isinstance(loop.node, ast.For) or loop.bar_name is not None:
        return None
    key = roles.key(nest.entry.scope, loop.base.id)
    if key is None or roles.rebound_unseen(key):
        return None
    filling = filling_of(key, nest, roles)
    if filling is None and not is_plain_list(key, roles):
        return None
    looks = [n for n in roles.mentions(key) if isinstance(n.ctx, ast.Load) and n not in (filling or ())]
    if not all(_only_looks(n, roles) for n in looks):
        return None
    if not keeps_elements(loop.node, roles):
        return None
    return BatchList(loop.base, nest.outermost)


def _only_looks(name: ast.Name, roles: Roles) -> bool:
    """Whether a mention of the list reads it or one of its elements, and hands the list to nobody."""
    parents = roles.source.parents
    parent = parents[name]
    match parent:
        case ast.For(iter=over) | ast.comprehension(iter=over):
            return over is name
        case ast.Call(func=ast.Name(id="len" | "enumerate" | "tqdm"), args=[first, *_]):
            return first is name
        case ast.Subscript(value=owner) if owner is name:
            element: ast.AST = parent
            while isinstance(above := parents[element], ast.Subscript) and above.value is element:
                element = above
            return isinstance(getattr(element, "ctx", None), ast.Load) and not isinstance(above, ast.Attribute)
    return False
