"""A choice among optimizers whose last arm leaves: its test may as well stand alone in front, where its error is seen at the same time.

                                                if args.solver not in ("rms", "adam"):
                                                    print("unknown solver")
                                                    raise SystemExit(1)
if args.solver == "rms":                        if args.solver == "rms":
    optimizer = RMSprop(...)                        optimizer = RMSprop(...)
elif args.solver == "adam":              →      elif args.solver == "adam":
    optimizer = Adam(...)                           optimizer = Adam(...)
else:
    print("unknown solver")
    raise SystemExit(1)

Nothing runs between the two places. Several tests only ask values what they are: all but the last one are asked again. A single test is asked once as before.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..plan.may_show import may_show
from ..plan.quiet_tests import only_asks
from ..recover.names import flow
from ..recover.nest import Nest
from ..recover.roles import Role, Roles
from ..recover.syntax import walk_scope

_LEAVING = {"exit", "quit", "sys.exit", "os._exit"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice, its tests, and the arm that leaves."""

    statement: ast.If
    tests: tuple[ast.expr, ...]
    last: ast.If
    leaving: tuple[ast.stmt, ...]


def find_choices(nests: list[Nest], roles: Roles) -> list[Choice]:
    """Those above the training loops of a program whose error would be told too late by the module."""
    found: dict[ast.If, Choice] = {}
    for nest in nests:
        for statement in roles.source.all(ast.If):
            if roles.source.scope_of(statement) is not nest.entry.scope or statement.lineno > nest.outermost.lineno:
                continue
            choice = _choice(roles, statement)
            if choice is not None and _is_seen(roles, choice, nest):
                found[statement] = choice
    return [*found.values()]


def _choice(roles: Roles, statement: ast.If) -> Choice | None:
    """The statement as such a choice, if it is one."""
    if _is_elif(roles, statement):
        return None
    arms = [statement]
    while len(arms[-1].orelse) == 1 and isinstance(inner := arms[-1].orelse[0], ast.If) and _is_elif(roles, inner):
        arms.append(inner)
    leaving = arms[-1].orelse
    if not leaving or not _leaves(roles, leaving[-1]):
        return None
    if len(arms) > 1 and not all(only_asks(roles, arm.test) for arm in arms):
        return None
    bound = frozenset.intersection(*(flow(arm.body).definite for arm in arms))
    scope = roles.source.scope_of(statement)
    if not any(roles.role(scope, name) is Role.OPTIMIZER for name in bound):
        return None
    return Choice(statement, tuple(arm.test for arm in arms), arms[-1], tuple(leaving))


def _is_elif(roles: Roles, statement: ast.If) -> bool:
    return roles.source.segment(statement).startswith("elif")


def _leaves(roles: Roles, statement: ast.stmt) -> bool:
    """Whether nothing behind a statement runs."""
    match statement:
        case ast.Raise() | ast.Return() | ast.Assert(test=ast.Constant(value=False)):
            return True
        case ast.Expr(value=ast.Call(func=function)):
            name = roles.full_name(function)
            return name in _LEAVING and roles.source.function(name) is None
    return False


def _is_seen(roles: Roles, choice: Choice, nest: Nest) -> bool:
    """Whether a person would see that the error comes later: it says more than that, or something is shown before the loop."""
    if len(choice.leaving) > 1 or not isinstance(choice.leaving[0], ast.Raise):
        return True
    return any(may_show(roles, call) for call in _calls_between(choice, nest))


def _calls_between(choice: Choice, nest: Nest) -> Iterator[ast.Call]:
    end = choice.statement.end_lineno or choice.statement.lineno
    for node in walk_scope(nest.entry.scope.body):
        if isinstance(node, ast.Call) and end < node.lineno < nest.outermost.lineno:
            yield node
