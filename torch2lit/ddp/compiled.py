"""Is what a script compiles the model, and not the wrapper around it?

model = torch.compile(model)    →    the same: Lightning's wrapper has the compiled model in it, and the graph is cut where the script's cuts it
model = DDP(model)              →

model = torch.compile(DDP(model))    the wrapper's own forward is compiled: it stays
"""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Source, dotted
from .hindrances import Hindrance

_OTHERS = ("re.compile", "regex.compile")


def compiled_with_wrapper(source: Source, roles: Roles, wrapping: ast.Assign) -> Hindrance | None:
    """The first call that may compile more than the model that is wrapped behind it, as an obstacle; None where there is none."""
    for call in source.calls:
        if dotted(call.func).rpartition(".")[2] != "compile" or roles.full_name(call.func) in _OTHERS:
            continue
        if not _is_model(source, roles, call, wrapping):
            return Hindrance(
                call.lineno,
                "what is compiled depends on the wrapper around it",
                "compile the model before it is wrapped, under its own name: `model = torch.compile(model)`",
            )
    return None


def _is_model(source: Source, roles: Roles, call: ast.Call, wrapping: ast.Assign) -> bool:
    """Whether ``model = torch.compile(model)`` stands in front of the wrapping of that name."""
    statement = source.parents[call]
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if value is call and call.args:
            compiled = call.args[0]
        case _:
            return False
    wrapped = wrapping.value.args[0] if isinstance(wrapping.value, ast.Call) and wrapping.value.args else None
    same = isinstance(compiled, ast.Name) and isinstance(wrapped, ast.Name) and name == compiled.id == wrapped.id
    before = source.scope_of(statement) is source.scope_of(wrapping) and statement.lineno < wrapping.lineno
    return same and before and roles.full_name(call.func) == "torch.compile"
