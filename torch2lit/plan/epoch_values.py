"""Loops over something fixed that is no plain range: a list of values, an array, a reversed range, an endless count."""

from __future__ import annotations

import ast

from ..recover.loops import Iterable, Loop
from ..recover.syntax import walk
from .draft import Draft

_PLAIN = (int, float, str)
_COUNTS = {"itertools.count"}
_MAKERS = {"range", "list", "tuple", "sorted", "numpy.arange", "numpy.linspace"}


def sequence_of(draft: Draft, loop: Loop) -> ast.expr | None:
    """The sequence whose elements the epochs take one after the other; None when it is a range or may change meanwhile."""
    if loop.kind is Iterable.RANGE or draft.nest.batches is None or not isinstance(loop.items, ast.Name):
        return None
    match loop.base:
        case ast.Call(func=ast.Name(id="reversed"), args=[inner], keywords=[]) if _is_builtin(draft, "reversed"):
            if _fixed(draft, loop, inner):
                backwards = ast.Slice(step=ast.UnaryOp(ast.USub(), ast.Constant(1)))
                return ast.Subscript(inner, backwards, ast.Load())
            return None
    return loop.base if _fixed(draft, loop, loop.base) else None


def runs_over_values(draft: Draft, loop: Loop) -> bool:
    """Whether a loop without batches inside runs over plain values that the Trainer may run over as well.

    Lightning takes the elements of a list for several loaders unless they are plain values.
    """
    match loop.base:
        case ast.List(elts=elements):
            return bool(elements) and all(isinstance(e, ast.Constant) and type(e.value) in _PLAIN for e in elements)
        case ast.Call(func=function, args=arguments, keywords=[]) if draft.roles.full_name(function) in _COUNTS:
            return len(arguments) <= 2
    return _array(draft, loop.base)


def _array(draft: Draft, node: ast.expr) -> bool:
    """Whether an expression is a one-dimensional array that is made where it stands."""
    match node:
        case ast.Call(func=function, keywords=[]):
            return draft.roles.full_name(function) in ("numpy.arange", "numpy.linspace")
        case ast.BinOp(left=left, right=right):
            return (_array(draft, left) and _number(right)) or (_number(left) and _array(draft, right))
    return False


def element(sequence: ast.expr) -> ast.expr:
    """The element of the running epoch."""
    epoch = ast.Attribute(ast.Name("self", ast.Load()), "current_epoch", ast.Load())
    return ast.Subscript(sequence, epoch, ast.Load())


def length(sequence: ast.expr) -> str:
    """How many epochs there are, as source at the entry point."""
    if isinstance(sequence, ast.Subscript) and isinstance(sequence.slice, ast.Slice):
        sequence = sequence.value
    if isinstance(sequence, ast.List | ast.Tuple):
        return str(len(sequence.elts))
    return f"len({ast.unparse(sequence)})"


def _fixed(draft: Draft, loop: Loop, node: ast.expr) -> bool:
    """Whether an expression is a sequence of known making that nothing changes while the loop runs."""
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return all(_number(e) for e in elements)
        case ast.Call(func=function, args=arguments, keywords=[]):
            return _maker(draft, function) and all(_fixed(draft, loop, a) or _stable(loop, a) for a in arguments)
        case ast.BinOp(left=ast.Call(func=function) as left, right=right):
            return draft.roles.full_name(function).startswith("numpy.") and _fixed(draft, loop, left) and _number(right)
        case ast.Starred(value=inner):
            return _fixed(draft, loop, inner)
        case ast.Name(id=name):
            return _fixed_name(draft, loop, name)
    return False


def _fixed_name(draft: Draft, loop: Loop, name: str) -> bool:
    key = draft.roles.key(draft.nest.entry.scope, name)
    bindings = draft.roles.bindings(key) if key else []
    if key is None or key[0] is not draft.nest.entry.scope or len(bindings) != 1 or bindings[0].index is not None:
        return False
    value = bindings[0].value
    made = isinstance(value, ast.List | ast.Tuple | ast.ListComp) or (
        isinstance(value, ast.Call) and _maker(draft, value.func)
    )
    elsewhere = [n for root in [*loop.node.body, *_others(draft)] for n in walk(root)]
    return made and not any(isinstance(n, ast.Name) and n.id == name for n in elsewhere)


def _others(draft: Draft) -> list[ast.AST]:
    return [f for f in draft.source.functions if f is not draft.nest.entry.scope]


def _maker(draft: Draft, function: ast.expr) -> bool:
    full = draft.roles.full_name(function)
    return full in _MAKERS and ("." in full or _is_builtin(draft, full))


def _is_builtin(draft: Draft, name: str) -> bool:
    return draft.roles.key(draft.nest.entry.scope, name) is None


def _stable(loop: Loop, node: ast.expr) -> bool:
    """Whether the loop does not bind any part of a plain value."""
    if any(not isinstance(n, ast.Name | ast.Attribute | ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator
                          | ast.unaryop | ast.expr_context) for n in walk(node)):  # fmt: skip
        return False
    names = {n.id for n in walk(node) if isinstance(n, ast.Name)}
    attributes = {n.attr for n in walk(node) if isinstance(n, ast.Attribute)}
    for inner in walk(loop.node):
        if isinstance(inner, ast.Name) and inner.id in names and not isinstance(inner.ctx, ast.Load):
            return False
        if isinstance(inner, ast.Attribute) and inner.attr in attributes and not isinstance(inner.ctx, ast.Load):
            return False
    return True


def _number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant)
