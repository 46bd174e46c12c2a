"""Functions that take one optimizer step and whose bodies cannot stand in a hook: the batch goes on calling them, and the call is the step.

@torch.compile                                          training_step calls it:
def train_step(x, y, model, optimizer):                     optimizer = self.trainer.optimizers[0]
    optimizer.zero_grad()                                   loss = train_step(x, y, self.model, optimizer)
    ...
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .names import parameter_names
from .role import Role
from .roles import Roles, bound_argument
from .syntax import Scope, Source, walk, walk_scope


def may_stay_whole(source: Source, function: Scope) -> bool:
    """Whether a function may be called from a hook as it is: one at the top of the file, which gives its answer at once."""
    if not isinstance(function, ast.FunctionDef) or not isinstance(source.parents[function], ast.Module):
        return False
    return not any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function.body))


def whole_step(roles: Roles, call: ast.Call) -> ast.FunctionDef | None:
    """The function of the file that a step site calls as a whole; None for any other site."""
    if not isinstance(call.func, ast.Name) or roles.key(roles.source.scope_of(call), call.func.id) is None:
        return None
    return roles.source.function(call.func.id)


def optimizers_inside(roles: Roles, call: ast.Call, scope: Scope) -> Iterator[ast.Name]:
    """The optimizers at the top of the file that such a function reads by their names, as the caller would name them."""
    if (function := whole_step(roles, call)) is None:
        return
    for node in walk(function):
        if isinstance(node, ast.Name) and roles.of(node, function) is Role.OPTIMIZER:
            key = roles.key(function, node.id)
            if key == (roles.source.tree, node.id) and key == roles.key(scope, node.id):
                yield node


def cleared_first(roles: Roles, call: ast.Call) -> Iterator[ast.expr]:
    """The optimizers, as the caller names them, whose gradients such a function clears before it does anything else."""
    if (function := whole_step(roles, call)) is None:
        return
    for statement in function.body:
        match statement:
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="zero_grad"), args=[], keywords=[])
            ):
                given = name.id in parameter_names(function)
                argument = bound_argument(function, call, name.id) if given else name
                if argument is not None:
                    yield argument
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[ast.Name()], value=value) if not any(isinstance(n, ast.Call) for n in walk(value)):
                continue
            case _:
                return
