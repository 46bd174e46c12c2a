"""For nodes of a plain view (torch2lit/objects) the nodes of the raw text: the same statements, with attributes for variables."""

from __future__ import annotations

import ast
from typing import TypeVar

from ..recover.syntax import Source
from .hindrances import unfoldable

Node = TypeVar("Node", bound=ast.AST)


class RawTwins:
    """The raw text of a source, and where its nodes stand in it; a text that is no view is its own raw text."""

    def __init__(self, source: Source) -> None:
        self.source = source if source.view is None else source.view.raw
        self._found: dict[ast.AST, ast.AST] | None = None
        if source.view is not None:
            self._found = {}
            self._pair(source.tree, self.source.tree)

    def of(self, node: Node) -> Node:
        """The raw node of the same kind. Raises Unfoldable where the raw text says it in another way."""
        if self._found is None:
            return node
        twin = self._found.get(node)
        if type(twin) is not type(node):
            raise unfoldable(
                getattr(node, "lineno", 0),
                "the wrapper is used in a way that cannot be taken apart",
                "wrap in one plain assignment to an attribute",
            )
        return twin

    def of_expression(self, node: ast.expr) -> ast.expr:
        """The raw expression, an attribute for a variable of the view."""
        twin = node if self._found is None else self._found.get(node)
        if not isinstance(twin, ast.expr):
            raise unfoldable(
                node.lineno,
                "the wrapper is used in a way that cannot be taken apart",
                "wrap in one plain assignment to an attribute",
            )
        return twin

    def _pair(self, seen: ast.AST, raw: ast.AST) -> None:
        assert self._found is not None
        self._found[seen] = raw
        if isinstance(seen, ast.arguments) or type(seen) is not type(raw):
            if isinstance(seen, ast.If) and isinstance(raw, ast.ClassDef):
                self._pair_all(seen.body, raw.body)
            return
        for name in seen._fields:
            own, other = getattr(seen, name), getattr(raw, name)
            if isinstance(own, ast.AST) and isinstance(other, ast.AST):
                self._pair(own, other)
            elif isinstance(own, list) and isinstance(other, list):
                self._pair_all(own, other[: len(own)] if isinstance(seen, ast.Module) else other)

    def _pair_all(self, seen: list[ast.AST] | list[ast.stmt], raw: list[ast.AST] | list[ast.stmt]) -> None:
        for own, other in zip(seen, raw, strict=False):
            if isinstance(own, ast.AST) and isinstance(other, ast.AST):
                self._pair(own, other)
