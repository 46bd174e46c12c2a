"""Validations that surely have one batch: over a loader of one element that is written out, as an evaluation in one go becomes."""

from __future__ import annotations

import ast

from ..recover.makings import Making, Value, is_none, makings, sources
from ..recover.phases import Validation
from .draft import EPOCH_END, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft

_ONCE = (VALIDATION_START, VALIDATION_END, EPOCH_END)


def has_one_batch(draft: Draft, found: Validation) -> bool:
    """Whether a validation has one batch and no more: what it runs over is a loader of one element that is written out."""
    if not isinstance(found.loop.base, ast.Name):
        return False
    value = Value(found.loop.base, found.frame.scope, draft.roles)
    made = [m for m in makings(value) if m.last_name == "DataLoader"]
    one = [m for m in made if isinstance(data := m.argument("dataset", 0), Value) and _has_element(data.node)]
    return bool(made) and len(one) == len(sources(value))


def is_one_batch(made: Making) -> bool:
    """Whether a loader has one element that is written out, the whole set, which every process is given."""
    data, size = made.argument("dataset", 0), made.argument("batch_size", 1)
    return data is not None and size is not None and is_none(size) and _has_element(data.node)


def runs_once(draft: Draft, hook: str) -> bool:
    """Whether a hook of the epoch's end runs once in each of them, so that what is logged there is one value."""
    if hook == VALIDATION_STEP:
        return draft.validation is not None and not draft.validation.others and has_one_batch(draft, draft.validation)
    return hook in _ONCE


def _has_element(node: ast.expr) -> bool:
    return isinstance(node, ast.List) and len(node.elts) == 1 and not isinstance(node.elts[0], ast.Starred)
