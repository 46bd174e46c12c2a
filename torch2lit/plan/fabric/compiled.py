"""Does a value of the script come into a function that is compiled? What traces it would trace Fabric's wrapper, too.

@torch.compile
def train_step(batch, model, optimizer): ...        def train(loader, model): ... train_step(batch, model, optimizer)
"""

from __future__ import annotations

import ast

from ...recover.holders import Holder, Holders
from ...recover.names import parameter_names
from ...recover.roles import Roles, bound_argument
from ...recover.syntax import Source

_COMPILES = ("torch.compile", "torch.jit.script", "torch.jit.trace")
_DEEPEST = 6


def compiled_with(source: Source, roles: Roles, holders: Holders, holder: Holder, depth: int = _DEEPEST) -> str:
    """The first compiled function that is given what a variable holds, and by what; "" for none."""
    for read in holders.reads(holder) if depth else ():
        call = source.parents[read]
        call = source.parents[call] if isinstance(call, ast.keyword) else call
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        function = source.function(call.func.id)
        if function is None:
            continue
        for decorator in function.decorator_list:
            made = decorator.func if isinstance(decorator, ast.Call) else decorator
            if (full := roles.full_name(made)) in _COMPILES:
                return f"`{full}` compiles `{function.name}`, which gets it, and would compile Fabric's wrapper, too"
        taken = [p for p in parameter_names(function) if bound_argument(function, call, p) is read]
        for parameter in taken:
            if found := compiled_with(source, roles, holders, Holder(function, parameter), depth - 1):
                return found
    return ""
