"""What a function hands back beside the states, and what its callers call that.

What comes back as it was given, under the name under which the caller has it already, need not come back.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.roles import Roles, bound_argument
from ..recover.syntax import walk, walk_scope
from .loads import Load


@dataclass(frozen=True, slots=True)
class Results:
    """Each `return`, whether there is one on every way, and the places of what goes on coming back.

    ``count`` is how many things come back in the raw script: 0 for nothing, 1 for one that is no tuple of the function's own.
    """

    returns: tuple[ast.Return, ...]
    ends: bool
    count: int
    kept: tuple[int, ...]


def results_of(
    roles: Roles, function: ast.FunctionDef, calls: tuple[ast.Call, ...], loads: list[Load]
) -> Results | None:
    """What the function hands back; None when it, or a caller, does so in a way that cannot be told anew."""
    returns = tuple(n for n in walk_scope(function.body) if isinstance(n, ast.Return))
    counts = {len(parts_of(r)) for r in returns} or {0}
    ends = _ends(function.body)
    if len(counts) != 1 or (counts != {0} and not ends):
        return None
    if any(isinstance(part, ast.Starred) for r in returns for part in parts_of(r)):
        return None
    count = counts.pop()
    if not all(_takes(roles, call, count) for call in calls):
        return None
    gone = [place for place in range(count) if _is_known(roles, function, calls, returns, place)]
    stepped = {load.parameter for load in loads}
    for one in returns:
        for place, part in enumerate(parts_of(one)):
            if place not in gone and isinstance(part, ast.Name) and part.id in stepped:
                return None
    return Results(returns, ends, count, tuple(place for place in range(count) if place not in gone))


def parts_of(handed: ast.Return) -> list[ast.expr]:
    """The things that a `return` hands back."""
    match handed.value:
        case None | ast.Constant(value=None):
            return []
        case ast.Tuple(elts=parts) if len(parts) > 1:
            return parts
    return [handed.value]


def targets_of(call: ast.Call, roles: Roles) -> list[ast.expr]:
    """What the statement around a call binds to what comes back; none when it drops it."""
    match roles.source.statement_of(call):
        case ast.Assign(targets=[ast.Tuple(elts=targets)]):
            return targets
        case ast.Assign(targets=[target]):
            return [target]
    return []


def _takes(roles: Roles, call: ast.Call, count: int) -> bool:
    """Whether a caller drops what comes back, or takes it apart as the function puts it together."""
    targets = targets_of(call, roles)
    if any(isinstance(t, ast.Starred | ast.List) for t in targets):
        return False
    statement = roles.source.statement_of(call)
    apart = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Tuple)
    if not targets:
        return count == 0 or "_" not in roles.source.names
    return len(targets) == count and apart == (count > 1)


def _ends(block: list[ast.stmt]) -> bool:
    match block[-1]:
        case ast.Return() | ast.Raise():
            return True
        case ast.If(body=body, orelse=orelse) if orelse:
            return _ends(body) and _ends(orelse)
        case ast.With(body=body):
            return _ends(body)
    return False


def _is_known(
    roles: Roles, function: ast.FunctionDef, calls: tuple[ast.Call, ...], returns: tuple[ast.Return, ...], place: int
) -> bool:
    """Whether what comes back at a place is a parameter, which each caller has under the name that it gives it."""
    parts = [parts_of(r)[place] for r in returns]
    names = {p.id for p in parts if isinstance(p, ast.Name)}
    if len(names) != 1 or not all(isinstance(p, ast.Name) for p in parts):
        return False
    name = names.pop()
    if name not in {a.arg for a in function.args.args} or _is_bound(function, name):
        return False
    return all(_has_it(roles, function, call, name, place) for call in calls)


def _has_it(roles: Roles, function: ast.FunctionDef, call: ast.Call, name: str, place: int) -> bool:
    argument = bound_argument(function, call, name)
    targets = targets_of(call, roles)
    if not targets or not isinstance(argument, ast.Name) or argument not in _passed(call):
        return not targets
    target = targets[place]
    if not isinstance(target, ast.Name) or [getattr(t, "id", "") for t in targets].count(argument.id) > 1:
        return False
    return target.id == argument.id or _is_dropped(roles, target)


def _is_dropped(roles: Roles, target: ast.Name) -> bool:
    """Whether a target is ``_``, which nothing reads."""
    named = (n for n in roles.source.all(ast.Name) if n.id == "_")
    return target.id == "_" and all(isinstance(n.ctx, ast.Store) for n in named)


def _passed(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]


def _is_bound(function: ast.FunctionDef, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in walk(function))
