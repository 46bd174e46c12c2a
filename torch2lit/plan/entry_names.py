"""Expressions of the loop as they read at the entry point, where the Trainer is made."""

from __future__ import annotations

import ast

from ..recover.loops import Iterable, loop_names
from ..recover.nest import Frame
from ..recover.state_names import is_whole
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .parameters import fixed_argument
from .set_in_loop import is_set_in_loop


def written_in_loop(draft: Draft) -> frozenset[Variable]:
    """Every variable that a turn of the epoch loop may bind."""
    everything = draft.epoch.items
    return draft.variables.sequence(everything).written


def epoch_counters(draft: Draft) -> frozenset[Variable]:
    """The variables that the head of the epoch loop binds."""
    names = loop_names(draft.nest.epochs) if draft.nest.epochs is not None else []
    return frozenset(v for n in names if (v := draft.variables.of(draft.nest.entry, n)) is not None)


def entry_text(draft: Draft, node: ast.expr, frame: Frame) -> str:
    """An expression with its names as the entry point knows them; "" when it cannot be read there."""
    names: dict[str, str] = {}
    for part in walk(node):
        if not isinstance(part, ast.Name):
            continue
        if is_whole(part.id):  # a property may give something else each time
            return ""
        key = draft.roles.key(frame.scope, part.id)
        if key is None or (draft.variables.is_static(key) and isinstance(key[0], ast.Module)):
            continue
        variable = draft.variables.of(frame, part.id)
        if variable is None or not (variable.frame in (None, draft.nest.entry) or variable.is_global):
            return ""
        if variable.name != part.id:
            names[part.id] = variable.name
    if is_made_up(node):
        return ast.unparse(node)
    text = draft.source.segment(node)
    if not names:
        return text
    import libcst as cst

    from ..rewrite.rename import rename

    return cst.Module([]).code_for_node(rename(cst.parse_expression(text), names))


def is_made_up(node: ast.expr) -> bool:
    """Whether the expression was made here, from ``trange`` or a `while` loop, and has no text of its own."""
    return isinstance(node, ast.Call) and not hasattr(node.func, "lineno")


def at_entry(draft: Draft, node: ast.expr, frame: Frame) -> str:
    """An expression as it reads at the entry point; "" when it changes in the loop or cannot be read there."""
    if isinstance(node, ast.Name) and (variable := draft.variables.of(frame, node.id)) is not None:
        if (given := fixed_argument(draft, variable)) is not None:
            return at_entry(draft, *given)
    written = written_in_loop(draft)
    counters: set[Variable | None] = {*epoch_counters(draft)}
    if draft.nest.batches is not None:
        counters |= {draft.variables.of(draft.nest.inner, n) for n in loop_names(draft.nest.batches)}
    for part in walk(node):
        if isinstance(part, ast.Call | ast.Await | ast.Lambda | ast.NamedExpr):
            return ""
        if isinstance(part, ast.Name):
            variable = draft.variables.of(frame, part.id)
            if variable is not None and (variable in written or variable in counters):
                return ""
    return "" if is_set_in_loop(draft, node) else entry_text(draft, node, frame)


def epoch_start(draft: Draft) -> int | None:
    """The first value of the epoch counter when it is a plain number."""
    assert draft.nest.epochs is not None
    base = draft.nest.epochs.base
    if draft.nest.epochs.kind is Iterable.TURNS:
        return None
    if isinstance(base, ast.Name):
        key = draft.roles.key(draft.nest.entry.scope, base.id)
        base = draft.roles.bindings(key)[0].value if key else base
    if draft.nest.epochs.kind is not Iterable.RANGE or not isinstance(base, ast.Call):
        return None
    if len(base.args) == 1:
        return 0
    first = base.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, int) else None
