"""Functions that several training loops called and that no one calls once all of these are converted."""

from __future__ import annotations

import ast

from ..plan.draft import Draft
from ..plan.moved import moved_functions, still_called, used_elsewhere
from ..program import Edit
from ..recover.syntax import walk


def left_functions(drafts: list[Draft], edits: list[Edit]) -> list[Edit]:
    """The edits that take such functions out; one that other edits touch stays."""
    source = drafts[0].source
    candidates = [f for f in _entered(drafts) if source.parents[f] is source.tree]
    inside = {id(n) for draft in drafts for n in walk(draft.nest.outermost)}
    inside |= {id(second.call.func) for draft in drafts for second in draft.seconds}
    result = []
    for function in [again for one in candidates for again in source.again(one)]:
        own = {id(n) for n in walk(function)}
        used = any(
            isinstance(n, ast.Name) and n.id == function.name and id(n) not in inside | own for n in walk(source.tree)
        ) or any(still_called(draft, function) for draft in drafts)
        exported = f'"{function.name}"' in source.text and "__all__" in source.text
        exported = exported or used_elsewhere(drafts[0], function)
        start = min([function.lineno, *(d.lineno for d in function.decorator_list)]) - 1
        end = function.end_lineno or function.lineno
        if used or exported or any(e.start < end and start < e.end for e in edits):
            continue
        while end < len(source.lines) and not source.lines[end].strip():
            end += 1
        result.append(Edit(start, end, ""))
    return result


def _entered(drafts: list[Draft]) -> list[ast.FunctionDef]:
    """The functions whose bodies stand in hooks of several modules and still in the text."""
    gone = [function for draft in drafts for function in moved_functions(draft)]
    found: list[ast.FunctionDef] = []
    for draft in drafts:
        frames = draft.nest.entered
        if draft.validation is not None:
            frames += draft.validation.frames
        for frame in frames:
            scope = frame.scope
            if frame.caller is not None and isinstance(scope, ast.FunctionDef) and scope not in [*gone, *found]:
                found.append(scope)
    return found
