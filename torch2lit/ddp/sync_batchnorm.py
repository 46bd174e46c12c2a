"""Finds ``model = nn.SyncBatchNorm.convert_sync_batchnorm(model)`` where `Trainer(sync_batchnorm=True)` does the same.

The Trainer converts the same layers when `fit` begins, and they keep their parameters: nothing may look at their classes before,
and nothing train with them afterwards, when the Trainer has taken the conversion back.
"""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Source
from .wrap import Wrap

_CONVERT = "torch.nn.SyncBatchNorm.convert_sync_batchnorm"
_LOOKS_CLOSER = {
    "modules", "named_modules", "children", "named_children", "apply", "get_submodule", "isinstance", "issubclass", "type",
    "deepcopy", "copy", "compile", "print", "summary", "AveragedModel",
}  # fmt: skip


def conversion_of_layers(source: Source, roles: Roles, wrap: Wrap) -> ast.Assign | None:
    """The statement that converts the layers of the model that is wrapped; None when it has to stay."""
    calls = [c for c in source.calls if roles.full_name(c.func) == _CONVERT]
    if len(calls) != 1 or wrap.branch is not None or calls[0].keywords:
        return None
    statement = source.parents[calls[0]]
    match statement, calls[0].args, wrap.inner:
        case ast.Assign(targets=[ast.Name(id=target)]), [ast.Name(id=given)], ast.Name(id=wrapped):
            if not target == given == wrapped:
                return None
        case _:
            return None
    assert isinstance(statement, ast.Assign)
    scope = source.scope_of(wrap.statement)
    beside = source.scope_of(statement) is scope and source.parents[statement] is source.parents[wrap.statement]
    if not beside or statement.lineno > wrap.statement.lineno:
        return None
    key = roles.key(scope, wrapped)
    for call in source.calls:
        if _name(call) in _LOOKS_CLOSER and not isinstance(source.parents[source.scope_of(call)], ast.ClassDef):
            arguments = [n for a in call.args for n in ast.walk(a) if isinstance(n, ast.Name)]
            if _name(call) != "print" or any(roles.key(source.scope_of(n), n.id) == key for n in arguments):
                return None
    return statement


def _name(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
