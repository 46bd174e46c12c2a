"""The values that a text shows, with the words before them.

f"loss: {loss:.4f}"          formatted as a float, so a number or of one element
"loss: {}".format(loss)      as it is
template % (loss, accuracy)  the same, where the template is one text all along
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

import libcst as cst

from ..formatted_numbers import label_of, pieces_of
from ..recover.syntax import Source
from .shown import Shown


def is_text(source: Source, node: ast.expr) -> bool:
    """Whether an expression puts values into a text."""
    return any(True for part in _joined(node) if _parsed(source, part) is not None)


def shown_by_text(source: Source, node: ast.expr) -> Iterator[Shown]:
    """The values in a text, in order; nothing for what is no text with values."""
    for part in _joined(node):
        parsed = _parsed(source, part)
        if parsed is None:
            continue
        loose = isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mod)
        for piece in pieces_of(parsed):
            if piece.value is not None:
                form = ("loose" if loose else "exact") if piece.as_float else ""
                yield Shown(label_of(piece.before), cst.Module([]).code_for_node(piece.value), form)


def _joined(node: ast.expr) -> list[ast.expr]:
    """The texts that are added up to one."""
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [*_joined(left), *_joined(right)]
    return [node]


def _parsed(source: Source, node: ast.expr) -> cst.BaseExpression | None:
    match node:
        case ast.JoinedStr():
            text = text_of(source, node)
        case ast.BinOp(left=pattern, op=ast.Mod()) | ast.Call(func=ast.Attribute(value=pattern, attr="format")):
            constant = _pattern(source, pattern)
            if constant is None:
                return None
            text = text_of(source, node) if constant is pattern else ast.unparse(_with_pattern(node, constant))
        case _:
            return None
    try:
        return cst.parse_expression(text)
    except cst.ParserSyntaxError:
        return None


def _pattern(source: Source, node: ast.expr) -> ast.Constant | None:
    """The text that values are put into: a constant, or a name that is only ever that one."""
    match node:
        case ast.Constant(value=str()):
            return node
        case ast.Name(id=name):
            stores = [n for n in source.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Store)]
            given = any(a.arg == name for a in source.all(ast.arg))
            parent = source.parents.get(stores[0]) if len(stores) == 1 and not given else None
            match parent:
                case ast.Assign(targets=[ast.Name()], value=ast.Constant(value=str()) as value):
                    return value
    return None


def _with_pattern(node: ast.expr, pattern: ast.Constant) -> ast.expr:
    other = copy.copy(node)
    if isinstance(other, ast.BinOp):
        other.left = pattern
    elif isinstance(other, ast.Call) and isinstance(other.func, ast.Attribute):
        other.func = ast.Attribute(pattern, other.func.attr, ast.Load())
    return other


def text_of(source: Source, node: ast.expr) -> str:
    """The source of an expression on one line."""
    text = source.segment(node)
    if "\n" not in text and "#" not in text:
        try:
            ast.parse(text, mode="eval")
            return text
        except SyntaxError:
            pass
    return ast.unparse(node)
