"""A statement that gives a name the value that it has goes.

    test_loss = test_loss   →   (nothing)

Old scripts have it where they once divided by the number of batches.
Source: https://docs.python.org/3/reference/simple_stmts.html#assignment-statements
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class SameNames:
    """Claims assignments of a plain name to itself."""

    name: str = "same_names"

    def claim(self, site: Site) -> Claim | None:
        """Claim ``x = x``; attributes and elements may do something when they are asked or set, and stay."""
        match site.statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=name)) if target == name:
                return Claim("nothing", "the name has that value", anywhere=True)
        return None


IDIOM = SameNames()
