"""Statements that switch a model between train and eval."""

from __future__ import annotations

import ast

from ..recover.items import Item, direct_calls, enter_frame, no_grad_with
from ..recover.phases import NotStraight, check_call_first
from ..recover.syntax import dotted, walk_scope
from ..recover.torch_calls import mode_of
from ..recover.variables import Variable
from .draft import Draft


def mode_calls(draft: Draft, item: Item) -> list[tuple[Variable, str]]:
    """The models that a statement surely switches, with ``train`` or ``eval``."""
    if item.kind != "statement":
        return []
    node = item.node
    value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="train" | "eval")) as call:
            trains = mode_of(call)
        case _:
            return []
    if trains is None or draft.roles.is_bare_object(name, item.frame.scope):
        return []
    variable = draft.variable(name, item.frame)
    return [(variable, "train" if trains else "eval")] if variable is not None else []


def first_evaluated(draft: Draft, item: Item) -> set[Variable]:
    """The models that a statement switches to eval mode before anything else, in the function that it calls."""
    if item.kind != "statement":
        return set()
    for call in direct_calls(item.node):
        function = draft.source.function(dotted(call.func))
        frame = enter_frame(draft.source, call, item.frame)
        if function is None or isinstance(frame, str) or _calls_more(item.node, call):
            continue
        try:
            check_call_first(item.node, call)
        except NotStraight:
            continue
        found: set[Variable] = set()
        for statement in _opening(function.body):
            name = statement.value.func.value  # type: ignore[attr-defined]
            given = frame.arguments.get(name.id)
            same = draft.roles.key(function, name.id) == draft.roles.key(item.frame.scope, name.id)
            variable = draft.variable(given if given is not None else name if same else None, item.frame)
            if variable is not None and not draft.roles.is_bare_object(name, function):
                found.add(variable)
        return found
    return set()


_FRESH = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.unaryop, ast.expr_context)
"""What makes a value that looks at nothing."""


def _opening(body: list[ast.stmt]) -> list[ast.stmt]:
    """The calls of ``eval`` at a function's top, behind which nothing of it runs yet."""
    found: list[ast.stmt] = []
    for statement in body:
        match statement:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(), attr="eval" | "train")) as call):
                if mode_of(call) is not False:
                    return found
                found.append(statement)
            case ast.With() if no_grad_with(statement):
                return [*found, *_opening(statement.body)]
            case ast.Assign(targets=[ast.Name()], value=value) if all(isinstance(n, _FRESH) for n in walk_scope(value)):
                continue
            case _:
                return found
    return found


def _calls_more(statement: ast.stmt, call: ast.Call) -> bool:
    """Whether the statement calls something that may run before the call does."""
    inside = {id(n) for n in ast.walk(call)} - {id(call)}
    outside = (n for n in walk_scope(statement) if isinstance(n, ast.Call) and n is not call and id(n) not in inside)
    around = {id(n) for n in ast.walk(statement) if isinstance(n, ast.Call) and any(c is call for c in ast.walk(n))}
    return any(id(n) not in around for n in outside) or any(
        isinstance(n, ast.Call) for argument in (*call.args, *call.keywords) for n in ast.walk(argument)
    )
