"""Does a schedule ask the script for something that changes between the last batch of an epoch and the script's own step of it?

boost = loss.item()                                       Lightning steps the schedule right after the last batch, before this line,
scheduler.step()                                          and a `LambdaLR(optimizer, lambda epoch: boost * 0.5**epoch)` would ask too early
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..recover.items import Item, parts
from ..recover.roles import Key, Role
from ..recover.syntax import root_name, walk
from .draft import Draft
from .may_run import may_run

_DEPTH = 4


def asks_what_changes(draft: Draft, made: ast.expr, scope_key: Key | None, items: Iterable[Item]) -> bool:
    """Whether one of the items may change what the functions read that the making of a schedule names."""
    code = [node for one in _with_others(draft, made, scope_key, 0) for node in _functions(draft, one)]
    if not code:
        return False
    inside = {id(n) for n in code}
    read = {key for n in code if isinstance(n, ast.Name) and (key := _key(draft, n)) and id(key[0]) not in inside}
    attributes = {n.attr for n in code if isinstance(n, ast.Attribute)}
    return any(_changes(draft, item, read, attributes) for item in items)


def _key(draft: Draft, name: ast.Name) -> Key | None:
    return draft.roles.key(draft.source.scope_of(name), name.id)


def _with_others(draft: Draft, made: ast.expr, scope_key: Key | None, depth: int) -> Iterator[ast.expr]:
    """What makes the schedule, and what makes the things that it is given by name."""
    yield made
    if depth == _DEPTH or scope_key is None:
        return
    for node in walk(made):
        if isinstance(node, ast.Name) and (key := draft.roles.key(scope_key[0], node.id)) is not None:
            schedule = draft.roles.role_of(key) is Role.SCHEDULER
            for binding in draft.roles.bindings(key):
                kept = isinstance(binding.value, ast.Lambda | ast.List | ast.Tuple | ast.Dict)
                if kept or (schedule and isinstance(binding.value, ast.Call)) or _is_partial(draft, binding.value):
                    yield from _with_others(draft, binding.value, key, depth + 1)


def _is_partial(draft: Draft, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and draft.roles.full_name(value.func) == "functools.partial"


def _functions(draft: Draft, made: ast.expr) -> Iterator[ast.AST]:
    """The script's own code that an expression hands on: lambdas, functions, classes that it names, and what these call."""
    source = draft.source
    own = [n for n in walk(made) if isinstance(n, ast.Lambda)]
    called = {n.id for n in walk(made) if isinstance(n, ast.Name)}
    named: list[ast.AST] = [f for f in source.functions if f.name in called]
    named += [source.classes[name] for name in called if name in source.classes]
    if own or named:
        yield from may_run(source, [*own, *named])


def _changes(draft: Draft, item: Item, read: set[Key], attributes: set[str]) -> bool:
    names = {name for _scope, name in read}
    for node in may_run(draft.source, [part for part, _frame in parts(item)]):
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()) if node.id in names and _key(draft, node) in read:
                return True
            case ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()) if name in attributes:
                return True
            case ast.Subscript(value=held, ctx=ast.Store() | ast.Del()) if root_name(held) in names:
                return True
            case ast.Expr(value=ast.Call(func=ast.Attribute() as method)) if root_name(method) in names:
                return True
    return False
