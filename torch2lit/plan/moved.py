"""Which functions of the script leave the text because their bodies stand in hooks."""

from __future__ import annotations

import ast
import re

from ..recover.items import names_in
from ..recover.syntax import walk
from .draft import Draft

_READS_BY_TEXT = re.compile(r"\b(?:getattr|hasattr|attrgetter|methodcaller|__getattribute__|__dict__|vars|dir|Fire)\b")
"""What may read an attribute whose name is a text."""


def moved_functions(draft: Draft, *, with_others: bool = False) -> list[ast.FunctionDef]:
    """The functions whose bodies stand in hooks now and that nothing else calls: they leave the text.

    ``with_others``: also those that only the file's other training loops still call.
    """
    frames = draft.nest.entered
    if draft.validation is not None:
        frames += draft.validation.frames
    functions = []
    for frame in frames:
        if frame.caller is not None and isinstance(frame.scope, ast.FunctionDef) and frame.scope not in functions:
            functions.append(frame.scope)
    leaving = functions
    others = {id(n) for loop in draft.other_loops for n in walk(loop)} if with_others else set()
    while (left := _unused_beside(draft, leaving, others)) != leaving:  # what stays in the text goes on calling others
        leaving = left
    return leaving


def _unused_beside(draft: Draft, functions: list[ast.FunctionDef], gone: set[int]) -> list[ast.FunctionDef]:
    """Those of the functions that nothing calls once all of them have left the text; the nodes ``gone`` leave it as well."""
    inside = gone | {id(n) for n in walk(draft.nest.outermost)}
    for function in functions:
        inside |= {id(n) for n in walk(function)}
    inside |= {id(second.call.func) for second in draft.seconds}
    kept = []
    for function in functions:
        used = any(
            isinstance(n, ast.Name) and n.id == function.name and id(n) not in inside for n in walk(draft.source.tree)
        ) or still_called(draft, function)
        exported = f'"{function.name}"' in draft.source.text and "__all__" in draft.source.text
        exported = exported or _is_kept_method(draft, function, inside) or used_elsewhere(draft, function)
        if not used and not exported:
            kept.append(function)
    return kept


def used_elsewhere(draft: Draft, function: ast.FunctionDef) -> bool:
    """Whether another file of the project imports the function, or reads it from its module."""
    view = draft.source.view
    top = draft.source.parents[function] is draft.source.tree and (view is None or not view.method(function))
    return top and function.name in draft.wanted_elsewhere


def _is_kept_method(draft: Draft, function: ast.FunctionDef, inside: set[int]) -> bool:
    """Whether something may still call the method that the function is: by its name, or as the public face of a class."""
    view = draft.source.view
    if view is None or not (name := view.method(function)):
        return False
    if name in view.mentioned_elsewhere or view.family.read_by_bases(name, view.raw.text):
        return True
    for node in walk(draft.source.tree):
        if isinstance(node, ast.Attribute) and node.attr == name:
            if draft.roles.of(node.value, draft.source.scope_of(node)) is None:
                return True
        if isinstance(node, ast.Constant) and node.value == name and _READS_BY_TEXT.search(view.raw.text + view.others):
            return True
    steps = {id(draft.nest.inner.scope), id(draft.nest.step_frame.scope)}
    return not (view.is_made_here or name.startswith("_") or id(function) in steps)


def still_called(draft: Draft, function: ast.FunctionDef) -> bool:
    """Whether a moved statement still calls the function."""
    calls = {frame.call for frame in draft.nest.entered}
    if draft.validation is not None:
        calls |= {*draft.validation.calls}
    entered = {id(c.func) for c in calls if c is not None}
    for item in draft.all_items():
        if any(node.id == function.name and id(node) not in entered for node, _frame in names_in(item)):
            return True
    return False
