"""Functions that `Module.apply` runs over the parts of a network, and that surely neither ask for a mode nor switch one.

def bn_momentum_adjust(m, momentum):                    model = model.apply(lambda m: bn_momentum_adjust(m, momentum))
    if isinstance(m, nn.BatchNorm2d):
        m.momentum = momentum
"""

from __future__ import annotations

import ast

from .bindings import Names
from .names import parameter_names
from .roles import bound_argument
from .syntax import walk

_MODE = frozenset(
    [
        "training",
        "train",
        "eval",
        "apply",
        "__dict__",
        "forward",
        "modules",
        "children",
        "named_modules",
        "named_children",
    ]
)
_MOST = 3
"""Functions that call each other, until nobody looks any further."""


def only_adjusts(roles: Names, function: ast.expr, depth: int = 0) -> bool:
    """Whether a function only asks what a part is, and reads or sets other attributes of it than its mode."""
    match function:
        case ast.Lambda(
            args=ast.arguments(args=[ast.arg(arg=part)], posonlyargs=[], kwonlyargs=[], vararg=None, kwarg=None),
            body=body,
        ):
            return _adjusts(roles, [body], part, depth)
        case ast.Name(id=name):
            definition = roles.source.function(name)
            if definition is None or definition.decorator_list or not (parameters := parameter_names(definition)):
                return False
            return _adjusts(roles, definition.body, parameters[0], depth)
    return False


def _adjusts(roles: Names, code: list[ast.expr] | list[ast.stmt], part: str, depth: int) -> bool:
    nodes = [node for one in code for node in walk(one)]
    if depth > _MOST or any(isinstance(n, ast.Attribute) and n.attr in _MODE for n in nodes):
        return False
    if any(isinstance(n, ast.Name) and n.id == part and not isinstance(n.ctx, ast.Load) for n in nodes):
        return False
    return all(_is_adjusted(roles, n, part, depth) for n in nodes if isinstance(n, ast.Name) and n.id == part)


def _is_adjusted(roles: Names, name: ast.Name, part: str, depth: int) -> bool:
    """Whether one use of the part tells nothing of its mode."""
    around = roles.source.parents.get(name)
    match around:
        case ast.Attribute():
            call = roles.source.parents.get(around)
            return not (isinstance(call, ast.Call) and call.func is around)  # a method of its own may do anything
        case ast.Call(func=ast.Name(id="isinstance" | "type" | "hasattr" as asked), args=[first, *_]) if first is name:
            return roles.key(roles.source.scope_of(around), asked) is None
        case ast.Call(func=ast.Name(id=called)) if (definition := roles.source.function(called)) is not None:
            given = [p for p in parameter_names(definition) if bound_argument(definition, around, p) is name]
            return (
                len(given) == 1
                and not definition.decorator_list
                and _adjusts(roles, definition.body, given[0], depth + 1)
            )
    return False
