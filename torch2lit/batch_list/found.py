"""Loops over a list that stays as it is: each of its elements is one batch.

pairs = [(words(line), tag) for line, tag in lines]         pairs = [(words(line), tag) for line, tag in lines]
                                                            loader = DataLoader(pairs, batch_size=None, ...)
for epoch in range(9):                                →     for epoch in range(9):
    for sentence, tag in pairs: ...                             for sentence, tag in loader: ...

Lightning takes a list for several loaders, and hands over containers that it has made anew: nobody may change the list, nor what it holds.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..plan.may_run import may_run
from ..recover.effects import effects_of
from ..recover.loops import Iterable
from ..recover.names import parameter_names, target_names
from ..recover.nest import Nest
from ..recover.plain_lists import is_plain_list
from ..recover.roles import Roles
from ..recover.syntax import Scope, walk

_CHANGING = frozenset(
    {
        *("append", "extend", "insert", "remove", "pop", "popitem", "clear", "update", "setdefault", "add", "discard"),
        *("sort", "reverse", "__setitem__", "fill_", "copy_", "put", "resize", "fill"),
    }
)


@dataclass(frozen=True, slots=True)
class BatchList:
    """The name of a list in the head of a loop over batches, and the statement that becomes the Trainer's call."""

    name: ast.Name
    outermost: ast.stmt


def find_batch_lists(nests: list[Nest], roles: Roles, path: str) -> list[BatchList]:
    """Every such loop of the program."""
    if any(isinstance(f, ast.FunctionDef) and f.name == "to" for f in roles.source.functions):
        return []  # Lightning moves whatever can be moved
    return [found for nest in nests if (found := _batch_list(nest, roles, path)) is not None]


def _batch_list(nest: Nest, roles: Roles, path: str) -> BatchList | None:
    loop = nest.batches
    if loop is None or nest.epochs is None or nest.inner is not nest.entry or loop.kind is not Iterable.UNKNOWN:
        return None
    if not isinstance(loop.base, ast.Name) or not isinstance(loop.node, ast.For) or loop.bar_name is not None:
        return None
    key = roles.key(nest.entry.scope, loop.base.id)
    if key is None or not is_plain_list(key, roles) or roles.rebound_unseen(key):
        return None
    if not all(_only_looks(n, nest, roles) for n in roles.mentions(key) if isinstance(n.ctx, ast.Load)):
        return None
    if _changes_elements(loop.node, loop.items, nest.entry.scope, roles, path):
        return None
    return BatchList(loop.base, nest.outermost)


def _only_looks(name: ast.Name, nest: Nest, roles: Roles) -> bool:
    """Whether a mention of the list reads it, or before and behind the training one of its elements, and hands the list to nobody."""
    parents = roles.source.parents
    parent = parents[name]
    match parent:
        case ast.For(iter=over) | ast.comprehension(iter=over):
            return over is name
        case ast.Call(func=ast.Name(id="len" | "enumerate" | "tqdm"), args=[first, *_]):
            return first is name
        case ast.Subscript(value=owner) if owner is name:
            element: ast.AST = parent
            while isinstance(above := parents[element], ast.Subscript) and above.value is element:
                element = above
            read = isinstance(getattr(element, "ctx", None), ast.Load) and not isinstance(above, ast.Attribute)
            outside = roles.source.scope_of(name) is nest.entry.scope and nest.outermost not in roles.source.ancestors(
                name
            )
            return read and outside
    return False


def _changes_elements(loop: ast.For, items: ast.expr, scope: Scope, roles: Roles, path: str) -> bool:
    """Whether the loop's body, or what it calls, may change a container that a batch is or holds."""
    effects = effects_of(roles, path)
    handed = {*target_names(items)}
    for statement in loop.body:
        for node in walk(statement):
            match node:
                case ast.Assign(targets=[target], value=ast.Name(id=name)) if name in handed:
                    handed |= {*target_names(target)}
        if any(owner is scope and name in handed for owner, name in effects.of(statement, scope).mutates):
            return True
    for node in may_run(roles.source, loop.body):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if attribute in _CHANGING:
                pass
            case (
                ast.Subscript(ctx=ast.Store() | ast.Del(), value=ast.Name(id=name))
                | ast.AugAssign(target=ast.Name(id=name))
            ):
                pass
            case _:
                continue
        own = roles.source.scope_of(node)
        given = handed if own is scope else parameter_names(own) if not isinstance(own, ast.Module) else ()
        if name in given:
            return True
    return False
