"""Statements of the two trees of a text: for each one of `ast` its twin of LibCST."""

from __future__ import annotations

import ast

import libcst as cst


class Twin:
    """A statement's LibCST node and, for one of several on a line, its index there."""

    __slots__ = ("index", "node")

    def __init__(self, node: cst.BaseStatement | cst.SimpleStatementSuite, index: int = 0) -> None:
        self.node = node
        self.index = index

    @property
    def small(self) -> cst.BaseSmallStatement | None:
        """The small statement itself, None for a compound one."""
        if isinstance(self.node, cst.SimpleStatementLine | cst.SimpleStatementSuite):
            return self.node.body[self.index]
        return None


def pair(body: list[ast.stmt], nodes: object, found: dict[ast.stmt, Twin]) -> None:
    """Add the twins of a block's statements, and of all that stand in them."""
    statements = iter(body)
    for node in nodes:  # type: ignore[attr-defined]
        if isinstance(node, cst.SimpleStatementLine):
            for index in range(len(node.body)):
                found[next(statements)] = Twin(node, index)
        else:
            statement = next(statements)
            found[statement] = Twin(node)
            _pair_compound(statement, node, found)


def _pair_block(body: list[ast.stmt], block: cst.BaseSuite, found: dict[ast.stmt, Twin]) -> None:
    if isinstance(block, cst.SimpleStatementSuite):
        for index, statement in enumerate(body):
            found[statement] = Twin(block, index)
    else:
        pair(body, block.body, found)


def _pair_compound(statement: ast.stmt, node: cst.CSTNode, found: dict[ast.stmt, Twin]) -> None:
    match statement:
        case ast.If() | ast.For() | ast.AsyncFor() | ast.While():
            _pair_block(statement.body, node.body, found)  # type: ignore[attr-defined]
            orelse = node.orelse  # type: ignore[attr-defined]
            if isinstance(orelse, cst.If):
                found[statement.orelse[0]] = Twin(orelse)
                _pair_compound(statement.orelse[0], orelse, found)
            elif orelse is not None:
                _pair_block(statement.orelse, orelse.body, found)
        case ast.With() | ast.AsyncWith() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            _pair_block(statement.body, node.body, found)  # type: ignore[attr-defined]
        case ast.Try():
            _pair_try(statement, node, found)
        case ast.Match():
            for case, twin in zip(statement.cases, node.cases, strict=True):  # type: ignore[attr-defined]
                _pair_block(case.body, twin.body, found)
        case _:
            if type(statement).__name__ == "TryStar":
                _pair_try(statement, node, found)


def _pair_try(statement: object, node: object, found: dict[ast.stmt, Twin]) -> None:
    _pair_block(statement.body, node.body, found)  # type: ignore[attr-defined]
    for handler, twin in zip(statement.handlers, node.handlers, strict=True):  # type: ignore[attr-defined]
        _pair_block(handler.body, twin.body, found)
    for part in ("orelse", "finalbody"):
        if block := getattr(node, part, None):
            _pair_block(getattr(statement, part), block.body, found)
