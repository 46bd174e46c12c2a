"""Why the script's own parser goes on reading the command line."""

from __future__ import annotations

import ast

_LONGEST = 60


def quoted(node: ast.AST) -> str:
    """A piece of code as a reason names it: its first line, cut where it is long."""
    text = ast.unparse(node).split("\n")[0]
    return f"`{text if len(text) <= _LONGEST else text[:_LONGEST] + '...'}`"


class Stays(Exception):
    """The reason in words, and the statement of the converted text that it is about."""

    def __init__(self, reason: str, place: ast.AST | None = None) -> None:
        super().__init__(reason)
        self.line: int = getattr(place, "lineno", 0)
