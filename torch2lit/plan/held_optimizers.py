"""What a loop takes its optimizers from, when it gives their name another value in its turns.

optimizer = optimizers["first"]        for optimizer in optimizers.values():        optimizer = adam if epoch else sgd
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from ..recover.bindings import Binding
from ..recover.items import Item
from ..recover.makings import Value, elements_at, makings, sources
from ..recover.nest import Frame
from ..recover.roles import Role
from ..recover.syntax import walk_scope
from ..recover.variables import Variable
from .draft import Draft

Held = tuple[ast.expr, str]
"""An expression that is there before the loop, and how the optimizers are taken out of it: ``*{}`` for several."""


def taken_out_of(draft: Draft, name: ast.expr, written: Collection[Variable]) -> Held | None:
    """What the loop takes one and the same optimizer from, and how, when that is plain to see.

    first = optimizers["first"]      first, second = optimizers      for optimizer in optimizers.values()
    """
    key = draft.roles.key(draft.nest.step_frame.scope, name.id) if isinstance(name, ast.Name) else None
    bindings = draft.roles.bindings(key) if key else []
    if len({(ast.unparse(b.value), b.index) for b in bindings}) != 1:
        return None
    match bindings[0].value, bindings[0].index:
        case ast.Subscript(value=ast.Name() as holder, slice=ast.Constant()) as part, None:
            taken: Held = part, "{}"
        case ast.Name() as holder, int(place) if place >= 0:
            taken = holder, f"{{}}[{place}]"
        case ast.Call(func=ast.Attribute(value=ast.Name() as holder, attr="values" | "items"), args=[]), -1:
            taken = holder, "*{}.values()"
        case _:
            return None
    variable = draft.variable(holder, draft.nest.step_frame)
    return taken if variable is not None and variable not in written else None


def held_in(draft: Draft, name: ast.expr, written: Collection[Variable]) -> list[Held]:
    """All that the loop may choose the optimizer from. Raises Refused when it may make one as well."""
    chosen = list(_chosen(draft, name, draft.nest.step_frame, written))
    found = chosen if chosen and None not in chosen else [] if _made_anew(draft, name) else _run_over(draft, written)
    held = {ast.unparse(one[0]): one for one in found if one is not None}
    if not held:
        raise draft.refuse("optimizer-made-in-loop", name, f"`{ast.unparse(name)}` gets its value inside the loop")
    return list(held.values())


def _chosen(
    draft: Draft, node: ast.expr, frame: Frame, written: Collection[Variable], asked: frozenset[Variable] = frozenset()
) -> Iterator[Held | None]:
    """What each value of an expression is taken from; None for one that is not plain to see. ``asked``: names on the way to it."""
    match node:
        case ast.IfExp(body=one, orelse=other):
            yield from _chosen(draft, one, frame, written, asked)
            yield from _chosen(draft, other, frame, written, asked)
        case ast.Subscript(value=ast.Name() as holder):
            yield _container(draft, Item(ast.Expr(holder), frame), holder, written)
        case ast.Name(id=name):
            variable = draft.variable(node, frame)
            if variable is not None and variable not in written:
                seen = draft.variable(node, draft.nest.step_frame) is variable
                yield (node, "{}") if seen and draft.role(node, frame) is Role.OPTIMIZER else None
                return
            if variable is not None and variable in asked:
                return  # made of itself: its other values say what it is
            further = asked if variable is None else asked | {variable}
            key = draft.roles.key(frame.scope, name)
            bindings = draft.roles.bindings(key) if key is not None else []
            if not bindings and frame.caller is not None and name in frame.arguments:
                yield from _chosen(draft, frame.arguments[name], frame.caller, written, further)
                return
            if key is None or not bindings or draft.roles.rebound_unseen(key):
                yield None
            for binding in bindings:
                if binding.index is None:
                    yield from _chosen(draft, binding.value, frame, written, further)
                elif isinstance(binding.value, ast.Name) and _runs_over_elements(binding, name):
                    yield _container(draft, Item(ast.Expr(binding.value), frame), binding.value, written)
                else:
                    yield None
        case _:
            yield None


def _runs_over_elements(binding: Binding, name: str) -> bool:
    """Whether a name is each element as a whole."""
    match binding.statement:
        case ast.For(target=ast.Name(id=own)):
            return own == name
    return False


def _container(draft: Draft, item: Item, node: ast.Name, written: Collection[Variable]) -> Held | None:
    """A container that is there before the loop and holds optimizers, and nothing that only follows one."""
    variable = draft.variable(node, item.frame)
    if variable is None or variable in written or draft.role(node, item.frame) is Role.SCHEDULER:
        return None
    if draft.variable(node, draft.nest.step_frame) is not variable:
        return None
    value = Value(ast.Name(variable.name, ast.Load()), variable.scope, draft.roles)
    found = {m.roles.of(m.call, m.scope) for e in elements_at(value, None) for m in makings(e)}
    if not found <= {Role.OPTIMIZER, None}:
        return None
    if Role.OPTIMIZER not in found and draft.role(node, item.frame) is not Role.OPTIMIZER:
        return None
    kinds = {_kind(part.node) for part in sources(value)}
    return (node, kinds.pop() or "{}") if len(kinds) == 1 else None


def _kind(node: ast.expr) -> str:
    """How the elements of what an expression makes are listed; "" when it is no plain container."""
    match node:
        case ast.Dict() | ast.DictComp() | ast.Call(func=ast.Name(id="dict" | "OrderedDict" | "defaultdict")):
            return "*{}.values()"
        case ast.List() | ast.Tuple() | ast.ListComp() | ast.Call(func=ast.Name(id="list" | "tuple")):
            return "*{}"
    return ""


def _made_anew(draft: Draft, name: ast.expr) -> bool:
    """Whether some binding of the name is a call that makes an optimizer."""
    scope = draft.nest.step_frame.scope
    key = draft.roles.key(scope, name.id) if isinstance(name, ast.Name) else None
    bound = [b for b in draft.roles.bindings(key) if b.index is None] if key is not None else []
    return any(isinstance(b.value, ast.Call) and draft.roles.of(b.value, scope) is Role.OPTIMIZER for b in bound)


def _run_over(draft: Draft, written: Collection[Variable]) -> list[Held | None]:
    """The first container of optimizers that the loop mentions, whatever it does to get at them."""
    for item in draft.all_items():
        for node in walk_scope(item.node):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                if draft.roles.key(item.frame.scope, node.id) in draft.effects.optimizers:
                    if (held := _container(draft, item, node, written)) is not None:
                        return [held]
    return []
