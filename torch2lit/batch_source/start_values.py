"""Values that a turn starts with, in front of its batch: they draw nothing and change nothing, so that the batch may be made before them.

hidden = model.init_hidden(n)       zeros, by a method of the network
loss = 0.0
x, y = get_batch()
"""

from __future__ import annotations

import ast

from ..recover.own_classes import method_of, own_class
from ..recover.roles import Roles
from ..recover.syntax import Scope, walk

_FILLED = {"torch.zeros", "torch.ones", "torch.full", "torch.tensor", "torch.zeros_like", "torch.ones_like"}
_METHODS = {"to", "cuda", "size", "view", "unsqueeze", "new_zeros", "new_ones", "float", "long"}
_PLAIN = {"len", "int", "float"}
_DEEPEST = 3


def makes_start_value(statement: ast.stmt, roles: Roles) -> bool:
    """Whether a statement only gives names constants or tensors that are filled with one."""
    match statement:
        case ast.Assign(targets=targets, value=value) if all(isinstance(t, ast.Name) for t in targets):
            return _is_filled(value, roles, 0)
    return False


def is_steady(roles: Roles, scope: Scope, name: str) -> bool:
    """Whether a name is no variable, or one that is a constant or a device all along."""
    key = roles.key(scope, name)
    if key is None:
        return True
    bindings = roles.bindings(key)
    if not bindings and isinstance(key[0], ast.Module):
        return not roles.rebound_unseen(key)
    if len(bindings) != 1 or roles.rebound_unseen(key):
        return False
    value = bindings[0].value
    device = isinstance(value, ast.Call) and roles.full_name(value.func) == "torch.device"
    return bindings[0].index is None and (device or isinstance(value, ast.Constant))


def _is_filled(code: ast.AST, roles: Roles, depth: int) -> bool:
    for node in walk(code):
        if depth and isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            scope = roles.source.scope_of(node)
            key = roles.key(scope, node.id)
            if key is not None and key[0] is not scope and not is_steady(roles, scope, node.id):
                return False
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            return False
        if isinstance(
            node, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom | ast.Lambda | ast.Global | ast.Nonlocal
        ):
            return False
        if isinstance(node, ast.Call) and not _fills(node, roles, depth):
            return False
    return True


def _fills(call: ast.Call, roles: Roles, depth: int) -> bool:
    function = call.func
    if roles.full_name(function) in _FILLED:
        return True
    match function:
        case ast.Name(id=name):
            return name in _PLAIN and roles.key(roles.source.scope_of(call), name) is None
        case ast.Attribute(value=owner, attr=name):
            own = [
                m
                for definition in roles.source.classes.values()
                for m in definition.body
                if isinstance(m, ast.FunctionDef) and m.name == name
            ]
            if own:
                known = own_class(roles, owner, roles.source.scope_of(call)) if depth == 0 else None
                if depth == 0 and (known is None or method_of(known, name) is None):
                    return False
                plain = depth < _DEEPEST and not any(m.decorator_list for m in own)
                return plain and all(_is_filled(s, roles, depth + 1) for m in own for s in m.body)
            return name in _METHODS
    return False
