"""Whether parsed arguments hold plain values only: hyper-parameters are copied, and an open file or a writer cannot be."""

from __future__ import annotations

import ast

from ..recover.names import parameter_names
from ..recover.roles import bound_argument
from ..recover.syntax import dotted, walk
from ..recover.variables import Variable
from .draft import Draft

_WRITES = {"update", "setdefault", "__setitem__"}


def holds_plain_values(draft: Draft, variable: Variable) -> bool:
    """Whether nobody stores anything in a configuration besides what its parser gives."""
    for call in draft.source.calls:
        last = dotted(call.func).rpartition(".")[2]
        if last == "set_defaults" and not all(_is_plain(k.value) for k in call.keywords):
            return False
    for name in draft.source.all(ast.Name):
        if name.id == variable.name and _is_written_through(draft, name):
            return False
    return True


def _is_plain(value: ast.expr) -> bool:
    """A literal, or a function of the script's own, as in ``set_defaults(func=train)``."""
    return isinstance(value, ast.Constant | ast.Name | ast.UnaryOp | ast.Attribute)


def _is_written_through(draft: Draft, name: ast.Name) -> bool:
    parents = draft.source.parents
    parent = parents[name]
    if isinstance(parent, ast.Attribute):
        return parent.attr == "__dict__" and _changes(draft, parent)
    if not isinstance(parent, ast.Call) or name not in parent.args:
        return False
    called = dotted(parent.func)
    if called == "setattr":
        return parent.args[0] is name
    if called == "vars":
        return _changes(draft, parent)
    function = draft.source.function(called)
    for parameter in parameter_names(function) if function is not None else []:
        if function is not None and bound_argument(function, parent, parameter) is name:
            return parameter != name.id and _stores(function, parameter)
    return False


def _changes(draft: Draft, values: ast.AST) -> bool:
    """Whether the dictionary of the values is changed where it is named."""
    match draft.source.parents[values]:
        case ast.Subscript(ctx=ctx):
            return not isinstance(ctx, ast.Load)
        case ast.Attribute(attr=attribute):
            return attribute in _WRITES
    return False


def _stores(function: ast.FunctionDef, parameter: str) -> bool:
    return any(
        isinstance(n, ast.Attribute)
        and isinstance(n.value, ast.Name)
        and n.value.id == parameter
        and not isinstance(n.ctx, ast.Load)
        for n in walk(function)
    )
