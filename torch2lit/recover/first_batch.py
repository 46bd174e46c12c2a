"""An evaluation of one batch, the first that a loader gives: ``points, target = next(iter(loader))`` and what is done with it."""

from __future__ import annotations

import ast

from .items import Item, items_of, no_grad_with
from .loops import Iterable, Loop
from .phases import Validation, has_backward
from .role import Role
from .roles import Roles
from .syntax import walk_scope


def first_batch_at(roles: Roles, item: Item) -> Validation | None:
    """The evaluation in an ``if`` statement without another arm that gets one batch and runs a model on it without training."""
    node, frame = item.node, item.frame
    if not isinstance(node, ast.If) or node.orelse or has_backward(node):
        return None
    inner = items_of(node.body, frame, node)
    for position, child in enumerate(inner):
        got = child.node
        if not isinstance(got, ast.Assign) or (loop := _got(roles, got, item)) is None:
            continue
        body = inner[position + 1 :]
        if not any(_evaluates(roles, one) for one in inner):
            return None
        found = Validation(loop, frame, [], inner[:position], body, [], [], [node], node.test, frame, node)
        found.once = got
        return found
    return None


def _got(roles: Roles, statement: ast.Assign, item: Item) -> Loop | None:
    """The loop of which ``batch = next(iter(loader))`` or ``index, batch = next(enumerate(loader))`` is the first turn."""
    scope = item.frame.scope
    match statement:
        case ast.Assign(
            targets=[target],
            value=ast.Call(
                func=ast.Name(id="next"),
                args=[
                    ast.Call(
                        func=ast.Name(id="iter" | "enumerate" as over), args=[ast.Name() as base, *first], keywords=[]
                    )
                ],
                keywords=[],
            ),
        ) if not any(roles.key(scope, name) for name in ("next", over)) and roles.of(base, scope) is Role.LOADER:
            pass
        case _:
            return None
    index: str | None = None
    if over == "enumerate":
        match target, first:
            case ast.Tuple(elts=[ast.Name(id=index), items]), [] | [ast.Constant(value=0)]:
                target = items
            case _:
                return None
    elif first:
        return None
    turn = ast.copy_location(ast.For(target, base, [ast.Pass()], []), statement)
    return Loop(turn, Iterable.LOADER, base, target, index, None, False, None)


def _evaluates(roles: Roles, item: Item) -> bool:
    """Whether a statement of the block switches a model to eval mode, or gradients off."""
    if no_grad_with(item.node):
        return True
    return any(
        isinstance(n, ast.Attribute) and n.attr == "eval" and roles.of(n.value, item.frame.scope) is Role.MODEL
        for n in walk_scope(item.node)
    )
