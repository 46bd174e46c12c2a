"""Loaders of the script's own classes: what Lightning takes for granted of a loader, and they need not keep.

Lightning asks an object that is no DataLoader for one iterator more, as a check; it believes its length, and skips validation and
schedules in an epoch that ends before; it fetches a batch ahead where there is no length. A class passes here when its text shows
that none of this can be noticed: a generator that hands on each batch of one loader, with that loader's length.
"""

from __future__ import annotations

import ast

from ..recover.nest import Frame
from ..recover.roles import Key
from ..recover.syntax import Scope, dotted, walk, walk_scope
from .draft import Draft

_DEPTH = 4


def own_loader(draft: Draft, base: ast.expr, frame: Frame) -> str:
    """Why the loader is one that Lightning would ask in another way than a `for` does; "" when it is not known to be."""
    return _looked_into(draft, base, frame.scope, 0)


def _looked_into(draft: Draft, node: ast.expr, scope: Scope, depth: int) -> str:
    if depth > _DEPTH:
        return ""
    for call, where in _makings(draft, node, scope, depth):
        definition = draft.roles.class_named(draft.roles.full_name(call.func))
        if definition is None:
            continue
        if not _is_data_loader(draft, definition):
            if not _is_loop_over(definition):
                continue
            if not _hands_on(definition):
                return f"`{definition.name}` is a class of the script's own, and Lightning asks more of such a loader than a `for` does"
        elif _iterates_itself(draft, definition):
            return f"`{definition.name}` is a DataLoader with an iterator or a length of its own"
        for argument in [*call.args, *(k.value for k in call.keywords)]:
            if reason := _looked_into(draft, argument, where, depth + 1):
                return reason
            if _has_generator(draft, argument, where):
                return f"`{definition.name}` runs over a loader that has a random generator of its own"
    return ""


def _makings(draft: Draft, node: ast.expr, scope: Scope, depth: int) -> list[tuple[ast.Call, Scope]]:
    """The calls that give the expression its value, through names, arguments and the script's own functions."""
    if depth > _DEPTH:
        return []
    found: list[tuple[ast.Call, Scope]] = []
    match node:
        case ast.Name(id=name):
            key = draft.roles.key(scope, name)
            for value, where in _values(draft, key):
                found += _makings(draft, value, where, depth + 1)
        case ast.IfExp(body=body, orelse=orelse):
            found += _makings(draft, body, scope, depth) + _makings(draft, orelse, scope, depth)
        case ast.Call(func=ast.Name(id=name)) if (function := draft.source.function(name)) is not None:
            for inner in walk_scope(function.body):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    found += _makings(draft, inner.value, function, depth + 1)
        case ast.Call():
            found.append((node, scope))
    return found


def _values(draft: Draft, key: Key | None) -> list[tuple[ast.expr, Scope]]:
    if key is None:
        return []
    scope, name = key
    values: list[tuple[ast.expr, Scope]] = []
    for binding in draft.roles.bindings(key):
        if binding.index is None:
            values.append((binding.value, scope))
        elif binding.index >= 0 and isinstance(binding.value, ast.Call):
            values += _returned_at(draft, binding.value, binding.index)
    for caller, argument in draft.roles.arguments(scope, name):
        values.append((argument, caller))
    return values


def _returned_at(draft: Draft, call: ast.Call, index: int) -> list[tuple[ast.expr, Scope]]:
    """What the script's own function returns at a place of its tuple."""
    function = draft.source.function(dotted(call.func))
    if function is None:
        return []
    return [
        (n.value.elts[index], function)
        for n in walk_scope(function.body)
        if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple) and index < len(n.value.elts)
    ]


def _is_data_loader(draft: Draft, definition: ast.ClassDef, depth: int = 0) -> bool:
    for base in definition.bases:
        name = dotted(base).rpartition(".")[2]
        own = draft.roles.class_named(draft.roles.full_name(base))
        if own is None and name.endswith("DataLoader"):
            return True
        if own is not None and depth < _DEPTH and _is_data_loader(draft, own, depth + 1):
            return True
    return False


def _iterates_itself(draft: Draft, definition: ast.ClassDef, depth: int = 0) -> bool:
    if _method(definition, "__iter__") or _method(definition, "__len__"):
        return True
    owners = [draft.roles.class_named(draft.roles.full_name(base)) for base in definition.bases]
    return depth < _DEPTH and any(o is not None and _iterates_itself(draft, o, depth + 1) for o in owners)


def _is_loop_over(definition: ast.ClassDef) -> bool:
    """Whether a `for` can run over objects of the class, as far as its own text shows."""
    return any(_method(definition, name) for name in ("__iter__", "__getitem__"))


def _method(definition: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((s for s in definition.body if isinstance(s, ast.FunctionDef) and s.name == name), None)


def _hands_on(definition: ast.ClassDef) -> bool:
    """Whether the iterator is a generator with one batch for each one of an attribute, which gives the length, too."""
    start, length = _method(definition, "__iter__"), _method(definition, "__len__")
    if start is None or length is None or _method(definition, "__next__"):
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


def _has_generator(draft: Draft, node: ast.expr, scope: Scope) -> bool:
    return any(
        keyword.arg == "generator" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
        for call, _where in _makings(draft, node, scope, 1)
        for keyword in call.keywords
    )
