"""The variables from which others are made, step by step."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from ..recover.bindings import Key
from .draft import Draft
from .mode_afterwards import is_copied


def made_from(key: Key, read: Callable[[Key], Iterable[Key]]) -> set[Key]:
    """All variables that are read to make a variable, and those that are read for them; ``read`` says which one step does."""
    found: set[Key] = set()
    waiting = [key]
    while waiting:
        new = {*read(waiting.pop())} - found - {key}
        found |= new
        waiting += sorted(new, key=lambda k: k[1])
    return found


def is_number_or_copy(draft: Draft, value: ast.expr) -> bool:
    """Whether an expression gives a number that is computed, or a copy: what is made of it reaches none of the networks in it."""
    return isinstance(value, ast.BinOp | ast.Compare | ast.UnaryOp) or is_copied(draft, value)
