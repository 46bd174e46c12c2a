"""Loops that act in an environment: what they train on is what came of their own actions, so that they have neither batches nor epochs.

next_obs, reward, done, info = env.step(action)
"""

from __future__ import annotations

import ast

from .loops import Iterable, describe
from .roles import Roles
from .syntax import dotted, walk

_DEPTH = 2
_LEAST = 3
"""An environment gives what is seen, a reward and whether the episode is over, at least."""


def acts(loop: ast.For | ast.While, roles: Roles) -> bool:
    """Whether a loop acts in an environment, itself or in the functions that it calls, and runs over no loader."""
    reached = _reached(loop, roles)
    looped = [n for root in reached for n in walk(root) if isinstance(n, ast.For)]
    if any(describe(one, roles.source.scope_of(one), roles).kind is Iterable.LOADER for one in looped):
        return False
    return any(_is_action(n) for root in reached for n in walk(root))


def _reached(loop: ast.For | ast.While, roles: Roles) -> list[ast.AST]:
    found: list[ast.AST] = [loop]
    new: list[ast.AST] = [loop]
    for _ in range(_DEPTH):
        names = dict.fromkeys(dotted(n.func) for root in new for n in walk(root) if isinstance(n, ast.Call))
        functions = (roles.source.function(name) for name in names if name)
        new = [f for f in functions if f is not None and f not in found]
        found += new
    return found


def _is_action(node: ast.AST) -> bool:
    """Whether the statement takes apart what an object's ``step`` gives for an action: an optimizer gives a loss or nothing."""
    match node:
        case ast.Assign(
            targets=[ast.Tuple(elts=parts)],
            value=ast.Call(func=ast.Attribute(attr="step"), args=[_, *_]),
        ):
            return len(parts) >= _LEAST
    return False
