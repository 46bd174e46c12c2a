"""What a name stands for that runs over the elements of a container, in a ``for`` or in a comprehension.

for s in schedulers.values()        for name, s in schedulers.items()        [s for s, o in zip(schedulers, optimizers)]
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .bindings import Names
from .makings import Value, elements_at
from .names import target_names
from .syntax import dotted

_SAME_ELEMENTS = {"list", "tuple", "reversed", "sorted", "iter", "set", "tqdm", "trange", "cycle"}


def looped_over(iterable: Value, target: ast.expr, name: str) -> Iterator[Value]:
    """What the name may be in ``for target in iterable``."""
    node, scope, roles = iterable.node, iterable.scope, iterable.roles
    match node, target:
        case ast.Call(func=ast.Attribute(value=container, attr="values"), args=[]), _:
            yield from _of_element(elements_at(Value(container, scope, roles), None), target, name)
        case ast.Call(func=ast.Attribute(value=container, attr="items"), args=[]), ast.Tuple(elts=[_, value]):
            if name in target_names(value):
                yield from _of_element(elements_at(Value(container, scope, roles), None), value, name)
        case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]), ast.Tuple(elts=[_, value]):
            if name in target_names(value):
                yield from looped_over(Value(inner, scope, roles), value, name)
        case ast.Call(func=ast.Name(id="zip"), args=parts), ast.Tuple(elts=targets) if len(parts) == len(targets):
            for part, own in zip(parts, targets, strict=True):
                if name in target_names(own):
                    yield from looped_over(Value(part, scope, roles), own, name)
        case ast.Call(func=function, args=[inner, *_]), _ if dotted(function).rpartition(".")[2] in _SAME_ELEMENTS:
            yield from looped_over(Value(inner, scope, roles), target, name)
        case _:
            yield from _of_element(elements_at(iterable, None), target, name)


def _of_element(elements: Iterator[Value], target: ast.expr, name: str) -> Iterator[Value]:
    """The element itself, or the part of it that the target takes out under the name."""
    for element in elements:
        match target:
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                for index, own in enumerate(targets):
                    if name in target_names(own):
                        yield from _of_element(elements_at(element, ast.Constant(index)), own, name)
            case _:
                yield element


def in_comprehension(roles: Names, name: ast.Name) -> ast.comprehension | None:
    """The ``for`` of a comprehension around the name that binds it; None when none does."""
    inner: ast.AST = name
    for ancestor in roles.source.ancestors(name):
        if isinstance(ancestor, ast.stmt):
            return None
        if isinstance(ancestor, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            upto = ancestor.generators.index(inner) if isinstance(inner, ast.comprehension) else None
            for generator in ancestor.generators[:upto][::-1]:
                if name.id in target_names(generator.target):
                    return generator
        inner = ancestor
    return None
