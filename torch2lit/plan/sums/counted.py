"""Is a divisor the number of the batches over which Lightning takes its mean?"""

from __future__ import annotations

import ast

from ...recover.makings import Value, makings, sources
from ...recover.nest import Frame
from ...recover.syntax import walk
from ..draft import Draft
from .uses import Use


def counts_batches(draft: Draft, divisor: ast.expr, use: Use, of_validation: bool) -> bool:
    """Whether it is the length of the very loader of the loop, of torch's own, all of whose batches run."""
    match divisor:
        case ast.Call(func=ast.Name(id="len"), args=[ast.Name() as asked], keywords=[]):
            pass
        case _:
            return False
    loop, frame = _loop(draft, of_validation)
    if loop is None or frame is None or not isinstance(loop, ast.Name):
        return False
    if draft.roles.key(use.frame.scope, "len") is not None or not _is_whole(draft, loop, frame):
        return False
    return draft.variables.of(use.frame, asked.id) is draft.variables.of(frame, loop.id) is not None


def _loop(draft: Draft, of_validation: bool) -> tuple[ast.expr | None, Frame | None]:
    if of_validation:
        found = draft.validation
        return (None, None) if found is None or _is_left(draft, found.loop.node) else (found.loop.base, found.frame)
    batches, data = draft.nest.batches, draft.train_data
    if batches is None or data is None or len(data.texts) != 1 or _is_left(draft, batches.node):
        return None, None
    return batches.base, draft.nest.inner


def _is_left(draft: Draft, loop: ast.For | ast.While) -> bool:
    """Whether a batch may end the loop."""
    return isinstance(loop, ast.While) or any(isinstance(n, ast.Break | ast.Return) for n in walk(loop))


def _is_whole(draft: Draft, loader: ast.Name, frame: Frame) -> bool:
    """Whether it is a `DataLoader` over a set that knows its length."""
    value = Value(loader, frame.scope, draft.roles)
    made = [m for m in makings(value) if m.full_name == "torch.utils.data.DataLoader"]
    streams = any(n.id == "IterableDataset" for n in draft.source.all(ast.Name)) or any(
        n.attr == "IterableDataset" for n in draft.source.all(ast.Attribute)
    )
    return bool(made) and len(made) == len(sources(value)) and not streams
