"""Code that raises nothing by itself: what a handler of every exception (`except Exception`) is never shown.

Python may raise where it looks up an element, divides, unpacks, converts a text or calls what nobody sees. What is not known to raise nothing may raise.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from .syntax import Source, dotted

_STATEMENTS = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.Pass, ast.Continue, ast.Break)
_EXPRESSIONS = (
    ast.Name, ast.Constant, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.IfExp, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr,
    ast.FormattedValue, ast.Starred,
)  # fmt: skip
_FUNCTIONS = frozenset(["print", "len", "isinstance", "str", "repr", "abs", "bool", "id", "type"])
_NUMBERS = frozenset(["float", "int", "round"])
_METHODS = frozenset(
    ["item", "detach", "cpu", "size", "dim", "numel", "clone", "append", "format", "set_postfix", "set_postfix_str", "set_description",
     "set_description_str", "get_last_lr", "time", "perf_counter", "info", "debug", "warning", "write", "flush", "add_scalar", "add_scalars"]
)  # fmt: skip
"""Methods of one number, of a list, and of what tells: a bar, a logger, a writer."""


def is_quiet(source: Source, code: Iterable[ast.AST]) -> bool:
    """Whether none of the code can raise an exception by itself. The script's own functions and methods are what nobody sees."""
    own = {function.name for function in source.functions} | {*source.classes}
    return all(_is_quiet(node, own) for node in code)


def _is_quiet(node: ast.AST, own: set[str]) -> bool:
    match node:
        case ast.Assign(targets=targets) if any(_unpacks(t, node.value) for t in targets):
            return False
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str())):
            pass
        case (
            ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=right)
            | ast.AugAssign(op=ast.Div() | ast.FloorDiv() | ast.Mod(), value=right)
        ):
            if not isinstance(right, ast.Constant) or not right.value:
                return False
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult()):
            pass
        case ast.Subscript():
            return _is_rate(node)
        case ast.Call(func=function):
            if not _is_quiet_function(function, node, own):
                return False
        case ast.Attribute() | ast.keyword():
            pass
        case _ if isinstance(
            node, (*_STATEMENTS, *_EXPRESSIONS, ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
        ):
            pass
        case _:
            return False
    return all(_is_quiet(child, own) for child in ast.iter_child_nodes(node))


def _is_quiet_function(function: ast.expr, call: ast.Call, own: set[str]) -> bool:
    match function:
        case ast.Name(id=name) if name in own:
            return False
        case ast.Name(id=name) if name in _NUMBERS:
            return all(_gives_number(a) for a in call.args[:1])
        case ast.Name(id=name):
            return name in _FUNCTIONS
        case ast.Attribute(attr=name):
            return name in _METHODS and name not in own
    return False


def _gives_number(node: ast.expr) -> bool:
    """Whether the number of a tensor is asked for."""
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "item"


def _unpacks(target: ast.expr, value: ast.expr) -> bool:
    """Whether the values of something of unknown length are handed out."""
    if not isinstance(target, ast.Tuple | ast.List):
        return not isinstance(target, ast.Name | ast.Attribute)
    if not isinstance(value, ast.Tuple) or len(value.elts) != len(target.elts):
        return True
    return any(isinstance(e, ast.Starred) for e in (*target.elts, *value.elts))


def _is_rate(node: ast.Subscript) -> bool:
    """Whether the group of an optimizer is asked for what every group has: ``optimizer.param_groups[0]["lr"]``."""
    match node:
        case ast.Subscript(
            value=ast.Subscript(value=ast.Attribute(attr="param_groups"), slice=ast.Constant(value=0)),
            slice=ast.Constant(value="lr"),
        ):
            return True
    return False
