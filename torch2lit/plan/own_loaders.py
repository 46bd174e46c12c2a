"""Loaders of the script's own classes: what Lightning takes for granted of a loader, and they need not keep.

Lightning asks an object that is no DataLoader for one iterator more, as a check; it believes its length, and skips validation and
schedules in an epoch that ends before; it fetches a batch ahead where there is no length. A class passes here when its text shows
that none of this can be noticed: a generator that hands on each batch of one loader, with that loader's length.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.bindings import Names
from ..recover.makings import Value, makings, sources
from ..recover.nest import Frame
from ..recover.own_classes import lineage, method_of
from ..recover.reached_files import reached_files
from ..recover.roles import Roles
from ..recover.syntax import dotted, walk
from .draft import Draft
from .samplers import has_generator

_DEPTH = 4


def own_loader(draft: Draft, base: ast.expr, frame: Frame) -> str:
    """Why the loader is one that Lightning would ask in another way than a `for` does; "" when it is not known to be."""
    loader = Value(base, frame.scope, draft.roles)
    if reason := _looked_into(loader, 0):
        return reason
    if _comes_from_outside(loader, 0):
        return ""
    for definition in _own_streams(draft.roles):
        return (
            f"`{ast.unparse(base)[:60]}` may be a `{definition.name}`, of which Lightning asks more than a `for` does"
        )
    return ""


def _comes_from_outside(value: Value, depth: int) -> bool:
    """Whether all that the value may be is made by a library, or by a class or function of the project that is seen through."""
    parts = [p for p in sources(value) if not isinstance(p.node, ast.Constant)]
    return bool(parts) and depth < _DEPTH and all(_is_outside(p, depth) for p in parts)


def _is_outside(part: Value, depth: int) -> bool:
    if not isinstance(part.node, ast.Call):
        return False
    roles, function = part.roles, part.node.func
    if roles.own_class_named(roles.full_name(function)) is not None:
        return True  # it was looked into
    root: ast.AST = function
    while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name):
        return False
    if roles.key(part.scope, root.id) is None:
        return False
    if root.id in roles.origins:
        origin = roles.origins[root.id]
        inside = roles.neighbours is not None and (
            roles.neighbours.file(origin) or roles.neighbours.file(origin.rpartition(".")[0])
        )
        return not inside
    return root is not function and _comes_from_outside(Value(root, part.scope, roles), depth + 1)


def _own_streams(roles: Roles) -> Iterator[ast.ClassDef]:
    """The classes of the project over whose objects a `for` runs as no loader of torch's does it."""
    for current in reached_files(roles):
        if "__iter__" in current.source.text:
            for definition in current.source.classes.values():
                if method_of(definition, "__iter__") and not _hands_on(definition) and not _is_other(definition):
                    yield definition


def _is_other(definition: ast.ClassDef) -> bool:
    """Whether objects of the class are modules, samplers or containers rather than streams of batches."""
    bases = [dotted(base).rpartition(".")[2] for base in definition.bases]
    return any(b.endswith(("Module", "Sampler", "dict", "Dict", "list", "List", "Mapping")) for b in bases)


def _looked_into(loader: Value, depth: int) -> str:
    if depth > _DEPTH:
        return ""
    for made in makings(loader):
        own = made.roles.own_class_named(made.full_name)
        if own is None:
            continue
        definition = own[0]
        if not _is_data_loader(*own):
            if not _is_loop_over(definition):
                continue
            if not _hands_on(definition):
                return f"`{definition.name}` is a class of the script's own, and Lightning asks more of such a loader than a `for` does"
        elif _iterates_itself(*own):
            return f"`{definition.name}` is a DataLoader with an iterator or a length of its own"
        for argument in made.arguments():
            if reason := _looked_into(argument, depth + 1):
                return reason
            if any(has_generator(inner) for inner in makings(argument)):
                return f"`{definition.name}` runs over a loader that has a random generator of its own"
    return ""


def _is_data_loader(definition: ast.ClassDef, roles: Names) -> bool:
    return any(
        dotted(base).endswith("DataLoader") and where.own_class_named(where.full_name(base)) is None
        for own, where in lineage(definition, roles)
        for base in own.bases
    )


def _iterates_itself(definition: ast.ClassDef, roles: Names) -> bool:
    return any(method_of(own, name) for own, _ in lineage(definition, roles) for name in ("__iter__", "__len__"))


def _is_loop_over(definition: ast.ClassDef) -> bool:
    """Whether a `for` can run over objects of the class, as far as its own text shows."""
    return any(method_of(definition, name) for name in ("__iter__", "__getitem__"))


def _hands_on(definition: ast.ClassDef) -> bool:
    """Whether the iterator is a generator with one batch for each one of an attribute, which gives the length, too."""
    start, length = method_of(definition, "__iter__"), method_of(definition, "__len__")
    if start is None or length is None or method_of(definition, "__next__"):
        return False
    body = [s for s in start.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    match length.body[-1]:
        case ast.Return(
            value=ast.Call(
                func=ast.Name(id="len"),
                args=[ast.Attribute(value=ast.Name(id="self"), attr=counted)],
            )
        ) if len(length.body) == 1:
            pass
        case _:
            return False
    match body:
        case [ast.For(iter=source, body=inner, orelse=[])]:
            leaves = any(
                isinstance(n, ast.Break | ast.Continue | ast.Return | ast.Raise | ast.YieldFrom) for n in walk(body[0])
            )
            yields = [n for n in walk(body[0]) if isinstance(n, ast.Yield)]
            straight = [s for s in inner if isinstance(s, ast.Expr) and isinstance(s.value, ast.Yield)]
            return not leaves and len(yields) == len(straight) == 1 and _is_attribute(source, counted)
        case [ast.Expr(value=ast.YieldFrom(value=source))]:
            return _is_attribute(source, counted)
    return False


def _is_attribute(node: ast.expr, name: str) -> bool:
    """Whether the expression is ``self.NAME``, or a count or bar around it."""
    match node:
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
            return attribute == name
        case ast.Call(func=function, args=[inner, *_]) if dotted(function).rpartition(".")[2] in ("enumerate", "tqdm"):
            return _is_attribute(inner, name)
    return False
