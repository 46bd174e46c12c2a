"""What statements of the loop do first with a model: switch it, or use it in a way that may show its mode."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..recover.bindings import Key
from ..recover.items import Item, parts
from ..recover.mode_paths import Path, Place, code_path, statement_path
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .mode_afterwards import holders
from .unseen_copies import unseen_copies


def items_path(draft: Draft, items: list[Item], model: Variable) -> Path:
    """What statements of a nest, in a row, do first with a model."""
    leaves, held = False, dict[frozenset[Key], frozenset[Key]]()
    copies = unseen_copies(draft)
    for item in items:
        for part, frame in parts(item):
            if item.kind == "bind" and isinstance(part, ast.Name):
                continue  # the parameter is the same variable
            names = {n.id for n in walk(part) if isinstance(n, ast.Name)}
            own = {n for n in names if draft.variables.of(frame, n) == model}
            keys = {draft.roles.key(frame.scope, n) for n in own} | {(model.scope, model.name)}
            known = frozenset(k for k in keys if k is not None)
            if known not in held:
                held[known] = holders(draft, known)
            place = Place(draft.roles, frame.scope, known, held[known], copies)
            path = statement_path(part, place) if isinstance(part, ast.stmt) else code_path(part, place)
            if item.guard is not None:  # it runs in some epochs only
                path = replace(path, ends=True)
            if path.shows or path.switches:
                return Path(path.shows, path.ends, leaves)
            leaves |= path.leaves
    return Path(False, True, leaves)
