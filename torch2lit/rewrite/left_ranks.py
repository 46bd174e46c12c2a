"""Take the process's number away where nothing asks for it any more because the Trainer is asked instead."""

from __future__ import annotations

import ast
import re

from ..plan.draft import Draft, Removal
from ..plan.ranks import Ranks
from ..program import Edit
from ..recover.state_names import is_attribute
from ..recover.syntax import walk
from .device import covered
from .entry import EntryEditor


def unused_ranks(draft: Draft, editor: EntryEditor, edits: list[Edit]) -> list[Edit]:
    """Drop ``rank = dist.get_rank()`` and ``is_first = rank == 0`` at the entry point when the names have no use left."""
    ranks, scope = Ranks(draft), draft.nest.entry.scope
    if not ranks.known:
        return edits
    result = list(edits)
    for statement in reversed(scope.body):  # a name that is made of another one leaves first
        match statement:
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                asked = ranks.is_number(value, scope) or ranks.is_first(value, scope)
                if is_attribute(name) or not asked:
                    continue
                if _is_read(draft, target, result) or not editor.alone(statement) or _is_held(statement, result):
                    continue
                reason = f"the Trainer is asked instead of `{name}`"
                draft.removals[statement] = Removal("Trainer.is_global_zero", "rank_guards", reason)
                result.append(editor._remove(statement))
    return result


def _is_read(draft: Draft, target: ast.Name, edits: list[Edit]) -> bool:
    """Whether the text that stays, or new text, may read a name."""
    gone = covered(draft)
    mentions = [n for n in walk(draft.source.tree) if isinstance(n, ast.Name) and n.id == target.id and n is not target]
    word = re.compile(rf"(?<![\w.]){re.escape(target.id)}\b")
    return any(id(n) not in gone for n in mentions) or any(word.search(e.text) for e in edits)


def _is_held(statement: ast.stmt, edits: list[Edit]) -> bool:
    return any(e.start < (statement.end_lineno or 0) and statement.lineno - 1 < e.end for e in edits)
