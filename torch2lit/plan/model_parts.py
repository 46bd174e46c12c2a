"""Variables that stand for a part of a model: ``body = model.body``, ``for layer in model.layers``."""

from __future__ import annotations

import ast

from ..recover.bindings import Key
from ..recover.roles import Role
from .draft import Draft

_GIVE_PARTS = frozenset({"children", "modules", "named_children", "named_modules", "get_submodule", "values", "items"})
_TENSORS = frozenset({"weight", "bias", "data", "grad", "shape", "device", "dtype", "training"})


def parts_of(draft: Draft, model: Key) -> set[Key]:
    """The variables of a model's scope, and of the functions that see it, which may be a part of it."""
    scopes = [
        draft.source.tree,
        *(f for f in draft.source.functions if isinstance(model[0], ast.Module) or f is model[0]),
    ]
    found: set[Key] = set()
    for scope in scopes:
        for name in draft.roles.locals(scope):
            own = (scope, name)
            if own != model and draft.roles.role_of(own) in (None, Role.MODEL):
                if any(_is_part(draft, b.value, model) for b in draft.roles.bindings(own)):
                    found.add(own)
    return found


def _is_part(draft: Draft, value: ast.expr, model: Key) -> bool:
    """Whether an expression takes something out of the model that may be a module."""
    match value:
        case ast.Attribute(value=owner, attr=attr):
            return attr not in _TENSORS and _is_of(draft, owner, model)
        case ast.Subscript(value=owner):
            return _is_of(draft, owner, model)
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _GIVE_PARTS:
            return _is_of(draft, owner, model)
        case ast.IfExp() | ast.List() | ast.Tuple() | ast.BoolOp() | ast.ListComp() | ast.Starred():
            return any(isinstance(n, ast.expr) and _is_part(draft, n, model) for n in ast.iter_child_nodes(value))
        case ast.Call(func=ast.Name(id="list" | "tuple" | "enumerate" | "zip" | "reversed" | "getattr"), args=args):
            return any(_is_of(draft, a, model) for a in args)
    return False


def _is_of(draft: Draft, node: ast.expr, model: Key) -> bool:
    """Whether an expression is the model, or takes something out of it."""
    named = isinstance(node, ast.Name) and draft.roles.key(draft.source.scope_of(node), node.id) == model
    return named or _is_part(draft, node, model)
