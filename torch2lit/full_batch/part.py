"""A part of an epoch that runs over the one batch of a loader."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Statements of one block, and the names that the loader hands over."""

    statements: tuple[ast.stmt, ...]
    names: tuple[str, ...]
