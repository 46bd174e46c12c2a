"""Replace, drop and leave statements inside the blocks that are moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import libcst as cst

from .emptied import without_empty_parts

Replacement = Callable[[Any], Any]
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


def as_lines(answer: Any) -> list[Statement]:
    """Whatever a replacement answers, as whole statements."""
    if answer is None or isinstance(answer, cst.RemovalSentinel):
        return []
    if isinstance(answer, list | tuple):
        return [line for part in answer for line in as_lines(part)]
    if isinstance(answer, cst.BaseSmallStatement):
        return [cst.SimpleStatementLine([answer])]
    assert isinstance(answer, Statement)
    return [answer]


def logs(line: Statement) -> bool:
    """Whether a line does nothing but log numbers: a comment at the end of a statement is not about that."""
    match line:
        case cst.SimpleStatementLine(
            body=[cst.Expr(cst.Call(cst.Attribute(cst.Name("self"), cst.Name("log" | "log_dict"))))]
        ):
            return True
    return False


class Replacer(cst.CSTTransformer):
    """Puts replacements in the place of statements.

    ``changes`` is keyed by the ``id`` of LibCST statement nodes: a small statement, or a compound one. A replacement gets
    the node and answers a small or compound statement, several of them, or None.
    """

    def __init__(self, changes: Mapping[int, Replacement | None]) -> None:
        super().__init__()
        self.changes = changes

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        if isinstance(original_node, cst.SimpleStatementLine):
            return self._line(original_node, updated_node)
        if isinstance(original_node, cst.SimpleStatementSuite):
            return self._suite(original_node, updated_node)
        if isinstance(original_node, cst.BaseCompoundStatement):
            if id(original_node) in self.changes:
                change = self.changes[id(original_node)]
                lines = as_lines(change(updated_node)) if change else []
                if len(lines) == 1:  # an `elif` can be nothing else
                    return lines[0]
                return cst.FlattenSentinel(lines) if lines else cst.RemoveFromParent()
            return without_empty_parts(updated_node)
        return super().on_leave(original_node, updated_node)

    def _line(self, original: cst.SimpleStatementLine, updated: cst.SimpleStatementLine) -> Any:
        if not any(id(small) in self.changes for small in original.body):
            return updated
        lines = self._small(original.body, updated.body)
        if not lines:
            return cst.RemoveFromParent()
        first = lines[0]
        lines[0] = first.with_changes(leading_lines=[*updated.leading_lines, *first.leading_lines])
        last = next((n for n in reversed(range(len(lines))) if not logs(lines[n])), len(lines) - 1)
        if isinstance(ended := lines[last], cst.SimpleStatementLine):
            lines[last] = ended.with_changes(trailing_whitespace=updated.trailing_whitespace)
        return cst.FlattenSentinel(lines)

    def _small(self, originals: Any, updated: Any) -> list[Statement]:
        lines: list[Statement] = []
        kept: list[cst.BaseSmallStatement] = []
        for original, small in zip(originals, updated, strict=True):
            if id(original) not in self.changes:
                kept.append(small)
                continue
            change = self.changes[id(original)]
            if kept:
                lines.append(_line_of(kept))
                kept = []
            lines += as_lines(change(small)) if change else []
        if kept:
            lines.append(_line_of(kept))
        return lines

    def _suite(self, original: cst.SimpleStatementSuite, updated: cst.SimpleStatementSuite) -> Any:
        if not any(id(small) in self.changes for small in original.body):
            return updated
        return cst.IndentedBlock(self._small(original.body, updated.body))


def _line_of(smalls: list[cst.BaseSmallStatement]) -> cst.SimpleStatementLine:
    last = smalls[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
    return cst.SimpleStatementLine([*smalls[:-1], last])


def without_last_return(lines: Sequence[Any]) -> list[Any]:
    """The statements without a bare `return` where the function ends anyway."""
    if not lines:
        return []
    *before, last = lines
    if isinstance(last, cst.SimpleStatementLine):
        returns = len(last.body) == 1 and isinstance(last.body[0], cst.Return) and last.body[0].value is None
        commented = any(line.comment for line in last.leading_lines)
        return before if returns and before and not commented else list(lines)
    if isinstance(last, cst.If):
        return [*before, _ends_in_branch(last)]
    return list(lines)


def _ends_in_branch(node: cst.If) -> cst.If:
    body = node.body
    if isinstance(body, cst.IndentedBlock):
        node = node.with_changes(body=body.with_changes(body=without_last_return(body.body)))
    if isinstance(node.orelse, cst.If):
        return node.with_changes(orelse=_ends_in_branch(node.orelse))
    if isinstance(node.orelse, cst.Else) and isinstance(node.orelse.body, cst.IndentedBlock):
        block = node.orelse.body
        inner = block.with_changes(body=without_last_return(block.body))
        return node.with_changes(orelse=node.orelse.with_changes(body=inner))
    return node


def standalone(node: Any, index: int) -> Statement:
    """One statement by itself: a compound one as it is, a small one on a line of its own with its comments."""
    if isinstance(node, cst.SimpleStatementLine):
        if len(node.body) == 1:
            return node
        small = node.body[index].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        return cst.SimpleStatementLine(
            [small],
            leading_lines=node.leading_lines if index == 0 else [],
            trailing_whitespace=node.trailing_whitespace if index == len(node.body) - 1 else cst.TrailingWhitespace(),
        )
    if isinstance(node, cst.SimpleStatementSuite):
        small = node.body[index].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
        last = index == len(node.body) - 1
        return cst.SimpleStatementLine(
            [small], trailing_whitespace=node.trailing_whitespace if last else cst.TrailingWhitespace()
        )
    assert isinstance(node, Statement)
    return node
