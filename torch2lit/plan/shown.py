"""One value that a statement shows or keeps."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shown:
    """``label``: the words before it; ``value``: its source.

    ``formatted``: as a float: "exact" where an array of more than no dimension would raise, "loose" where one element may
    have dimensions, "" when it is not. ``holder``: the history that it goes to.
    """

    label: str
    value: str
    formatted: str = ""
    holder: str = ""

    @property
    def node(self) -> ast.expr:
        """The value as a tree."""
        return ast.parse(self.value, mode="eval").body
