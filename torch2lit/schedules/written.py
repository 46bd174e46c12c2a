"""Statements that write a learning rate into all groups of an optimizer.

for group in optimizer.param_groups:            adjust_learning_rate(optimizer, epoch)
    group["lr"] = rate
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.names import parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import walk_scope


@dataclass(frozen=True, slots=True)
class Written:
    """One such statement of the loop, the optimizer that it names, and the rate.

    ``function``: it calls this one, whose last statement but a `return` is the writing ``loop``; ``optimizer`` and ``rate`` are those in the function then.
    """

    statement: ast.stmt
    optimizer: ast.Name
    rate: ast.expr
    loop: ast.stmt
    one_group: bool = False
    function: ast.FunctionDef | None = None
    call: ast.Call | None = None


def written_in(statements: list[ast.stmt], roles: Roles) -> Iterator[Written]:
    """The statements of a block that write a rate, by themselves or by a function."""
    for statement in statements:
        if (found := _writes(statement)) is not None:
            yield Written(statement, *found, statement, isinstance(statement, ast.Assign))
            continue
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id=name)) as call):
                pass
            case ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Name(id=name)) as call):
                pass
            case _:
                continue
        function = roles.source.function(name)
        if function is not None and (inner := _in_function(function)) is not None:
            optimizer, rate, loop = inner
            if isinstance(statement, ast.Assign) and not isinstance(function.body[-1], ast.Return):
                continue
            yield Written(statement, optimizer, rate, loop, isinstance(loop, ast.Assign), function, call)


def _writes(statement: ast.stmt) -> tuple[ast.Name, ast.expr] | None:
    """The optimizer and the rate of a statement that writes it."""
    match statement:
        case ast.For(
            target=ast.Name(id=group),
            iter=ast.Attribute(value=ast.Name() as optimizer, attr="param_groups"),
            body=[
                ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=written), slice=ast.Constant(value="lr"))], value=rate
                )
            ],
            orelse=[],
        ) if group == written:
            return (optimizer, rate) if not _names(rate, group) else None
        case ast.Assign(
            targets=[
                ast.Subscript(
                    value=ast.Subscript(
                        value=ast.Attribute(value=ast.Name() as optimizer, attr="param_groups"),
                        slice=ast.Constant(value=0),
                    ),
                    slice=ast.Constant(value="lr"),
                )
            ],
            value=rate,
        ):
            return (optimizer, rate) if not _names(rate, optimizer.id) else None
    return None


def _names(node: ast.expr, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _in_function(function: ast.FunctionDef) -> tuple[ast.Name, ast.expr, ast.stmt] | None:
    """The same of a function that computes the rate, writes it and does nothing else."""
    *_before, last = function.body
    returned = isinstance(last, ast.Return)
    loop = function.body[-2] if returned and len(function.body) > 1 else last
    found = _writes(loop)
    if found is None or any(isinstance(n, ast.Return) and n is not last for n in walk_scope(function.body)):
        return None
    optimizer, rate = found
    if isinstance(last, ast.Return) and (last.value is None or ast.dump(last.value) != ast.dump(rate)):
        return None
    return optimizer, rate, loop


def given(written: Written) -> dict[str, ast.expr] | None:
    """What the call gives each parameter of the function; None when that is not plain to see."""
    function, call = written.function, written.call
    assert function is not None and call is not None
    arguments = function.args
    if function.decorator_list or arguments.defaults or arguments.vararg or arguments.kwarg or arguments.posonlyargs:
        return None
    if (
        arguments.kwonlyargs
        or any(isinstance(a, ast.Starred) for a in call.args)
        or len(call.args) > len(arguments.args)
    ):
        return None
    found: dict[str, ast.expr] = {}
    for name in parameter_names(function):
        value = bound_argument(function, call, name)
        if value is None:
            return None
        found[name] = value
    return found
