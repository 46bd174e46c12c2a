"""The progress bar of the loop that the Trainer replaces, made before the loop: it goes with the loop when nothing else reads it.

with tqdm(range(9)) as bar:          bar = tqdm(range(9))
    for epoch in bar:                for epoch in bar:
"""

from __future__ import annotations

import ast

from ..program import Mechanism
from ..recover.loops import is_bar_call
from ..recover.state_names import is_attribute
from ..recover.syntax import dotted, walk
from .draft import Draft, Removal
from .making import on_the_way

_PURE = {"range", "len", "int", "str"}


def bar_around(draft: Draft) -> ast.With | None:
    """The `with` whose body is the loop alone and whose bar nothing else reads; None when there is none."""
    nest = draft.nest
    loop = nest.epochs or nest.batches
    if loop is None or loop.node is not nest.outermost or (nest.epochs is None and draft.mechanism is Mechanism.EPOCHS):
        return None
    parent = draft.source.parents[nest.outermost]
    match parent:
        case ast.With(items=[ast.withitem(context_expr=ast.Call() as bar, optional_vars=ast.Name(id=name))], body=[_]):
            opened = is_bar_call(bar) and loop.bar_name == name and parent.lineno < nest.outermost.lineno
            return parent if opened and not _read_outside(draft, parent, name) else None
    return None


def _read_outside(draft: Draft, block: ast.With, name: str) -> bool:
    inside = {id(n) for n in walk(block)}
    scope = draft.nest.entry.scope
    return any(isinstance(n, ast.Name) and n.id == name and id(n) not in inside for n in walk(scope))


def drop_bound_bar(draft: Draft) -> None:
    """Let the statement that makes the bar of the outermost loop go, when the loop is all that uses it."""
    made = _bound_bar(draft)
    if made is not None and all(_goes(draft, n) for n in _used_below(draft, made)):
        draft.removals[made] = Removal("Trainer.fit", "progress_bar", "the bar was that of the loop")


def bar_of_loop_alone(draft: Draft) -> ast.Assign | None:
    """The statement that makes the bar of the outermost loop, when only the head of the loop mentions it."""
    made = _bound_bar(draft)
    return made if made is not None and not _used_below(draft, made) else None


def _bound_bar(draft: Draft) -> ast.Assign | None:
    """The statement that makes the bar of the outermost loop, and does no more."""
    nest = draft.nest
    loop = nest.epochs or nest.batches
    if loop is None or loop.node is not nest.outermost or (nest.epochs is None and draft.mechanism is Mechanism.EPOCHS):
        return None
    scope, name = nest.entry.scope, loop.bar_name
    bindings = draft.roles.bindings((scope, name)) if name and not is_attribute(name) else []
    if len(bindings) != 1 or draft.roles.rebound_unseen((scope, name or "")):
        return None
    made, value = bindings[0].statement, bindings[0].value
    if not isinstance(made, ast.Assign) or made.value is not value or not _only_a_bar(value):
        return None
    plain = len(made.targets) == 1 and isinstance(made.targets[0], ast.Name)
    return made if plain and on_the_way(draft, made) else None


def _used_below(draft: Draft, made: ast.Assign) -> list[ast.Name]:
    """The mentions of a bar besides its making and the head of the loop."""
    nest = draft.nest
    loop = nest.epochs or nest.batches
    target = made.targets[0]
    assert loop is not None and isinstance(target, ast.Name)
    header = {id(n) for n in walk(loop.node.iter)} if isinstance(loop.node, ast.For) else set()
    named = (n for n in walk(nest.entry.scope) if isinstance(n, ast.Name) and n.id == target.id and n is not target)
    return [n for n in named if id(n) not in header]


def _only_a_bar(value: ast.expr) -> bool:
    calls = (n for n in walk(value) if isinstance(n, ast.Call) and n is not value)
    return is_bar_call(value) and all(dotted(c.func) in _PURE for c in calls)


def _goes(draft: Draft, node: ast.AST) -> bool:
    return any(a in draft.removals or a in draft.claims for a in draft.source.ancestors(node))
