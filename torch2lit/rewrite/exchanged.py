"""Expressions of hooks that read otherwise, and the words in braces that stand in texts of hooks."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any, TypeVar

import libcst as cst

Node = TypeVar("Node", bound=cst.CSTNode)


def exchanged(node: Node, texts: Mapping[str, str]) -> Node:
    """A copy in which each expression of these reads as the source given for it; ``x /= n`` becomes an assignment of it."""
    changed = node.visit(_Exchange(texts)) if texts else node
    assert isinstance(changed, cst.CSTNode)
    return changed


def with_words(node: Node, words: Mapping[str, str]) -> Node:
    """A copy in which what stands for each word in braces is written out."""
    changed = node.visit(_Words(words)) if words else node
    assert isinstance(changed, cst.CSTNode)
    return changed


class _Exchange(cst.CSTTransformer):
    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__()
        self.texts = texts

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        if isinstance(original_node, cst.BinaryOperation | cst.Attribute | cst.Name):
            if (text := self.texts.get(_plain(original_node))) is not None:
                return cst.parse_expression(text)
        return super().on_leave(original_node, updated_node)

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_AssignTarget(self, original_node: cst.AssignTarget, updated_node: cst.AssignTarget) -> cst.AssignTarget:
        return original_node

    def leave_AugAssign(self, original_node: cst.AugAssign, updated_node: cst.AugAssign) -> Any:
        if (text := self.texts.get(_plain(original_node))) is None:
            return updated_node.with_changes(target=original_node.target)
        return cst.Assign([cst.AssignTarget(original_node.target)], cst.parse_expression(text))


def _plain(node: cst.CSTNode) -> str:
    """The node's text in one spelling."""
    code = cst.Module([]).code_for_node(node.with_changes(lpar=[], rpar=[]) if hasattr(node, "lpar") else node)
    return code if code.isidentifier() else one_spelling(code)


def one_spelling(code: str) -> str:
    """Source as `ast` writes it."""
    try:
        return ast.unparse(ast.parse(code.replace("\n", " ")))
    except SyntaxError:
        return code


class _Words(cst.CSTTransformer):
    """Puts names in quotes, in other ones than those of the text around them."""

    def __init__(self, words: Mapping[str, str]) -> None:
        super().__init__()
        self.words = words
        self.quotes: list[str] = []

    def visit_FormattedString(self, node: cst.FormattedString) -> bool:
        self.quotes.append(node.quote)
        return True

    def leave_FormattedString(
        self, original_node: cst.FormattedString, updated_node: cst.FormattedString
    ) -> cst.FormattedString:
        self.quotes.pop()
        return updated_node

    def leave_Dict(self, original_node: cst.Dict, updated_node: cst.Dict) -> cst.BaseExpression:
        meant = self.words.get(cst.Module([]).code_for_node(original_node))
        if meant is None:
            return updated_node
        inside = self.quotes and self.quotes[-1] == '"'
        return cst.parse_expression(meant.replace('"', "'") if inside else meant)
