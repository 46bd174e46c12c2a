"""Names that the script deletes behind its loop and that it no longer has: they are on the module, or in its hooks.

del optimizer, model, loss   →   del model
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ..recover.names import bound_otherwise, declared, parameter_names
from ..recover.syntax import Scope, blocks, walk, walk_scope
from .afterwards import statements_after
from .draft import Draft, Removal
from .handlers import handlers_around
from .state import State


def leave_out_lost_names(draft: Draft, state: State) -> None:
    """Let every `del` behind the loop name only what the script still binds."""
    scope = draft.nest.entry.scope
    after = [*statements_after(draft), *(s for h in handlers_around(draft) for s in h.body)]
    if not (found := [d for d in _deletions(draft, after) if d not in draft.removals and d not in draft.rewritten]):
        return
    known = _still_bound(draft, scope) | {*state.after, *(name for name, _ in state.written_back)}
    known |= {name for name, _ in state.optimizers_after} | declared(scope.body, ast.Global)
    for deletion in found:
        kept = [t for t in deletion.targets if not (isinstance(t, ast.Name) and t.id not in known)]
        if not kept:
            draft.removals[deletion] = Removal(
                "LightningModule", "delete_locals", "the script no longer has these names"
            )
        elif len(kept) < len(deletion.targets):
            draft.rewritten[deletion] = f"del {', '.join(map(draft.source.segment, kept))}\n"


def _deletions(draft: Draft, statements: Iterable[ast.stmt]) -> Iterator[ast.Delete]:
    """The `del` statements that run in the entry scope, without those of other loops that train."""
    for statement in statements:
        if statement in draft.other_loops or isinstance(
            statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        ):
            continue
        if isinstance(statement, ast.Delete):
            yield statement
        yield from _deletions(draft, (s for block in blocks(statement) for s in block))


def _still_bound(draft: Draft, scope: Scope) -> set[str]:
    """The names that the scope binds by statements that stay."""
    gone = {id(n) for s in draft.removals for n in walk(s)}
    loop = draft.nest.outermost
    gone |= {id(n) for n in walk(loop)} - {id(n) for s in loop.orelse for n in walk(s)}
    found = set() if isinstance(scope, ast.Module) else set(parameter_names(scope))
    for node in walk_scope(scope.body):
        if id(node) in gone:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        found.update(bound_otherwise(node))
    return found
