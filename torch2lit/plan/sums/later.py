"""What tells a number of the training before the validation is over: Lightning knows it when the epoch is, and no earlier.

train_loss = total / len(loader)             # on_validation_epoch_start     →   on_train_epoch_end
print(f"{train_loss:.4f} {val_loss:.4f}")    # on_validation_epoch_end       →   on_train_epoch_end

Nothing of the script runs in between, and the Trainer steps nothing there.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from ...recover.items import Item, parts
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import EPOCH_END, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft
from ..steps import open_controls

_VALIDATION = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)


def waiting(draft: Draft, told: Collection[ast.AST]) -> list[Item] | str:
    """The items of the validation's hooks that have to wait until the epoch is over, or why one of them cannot."""
    early = [i for hook in _VALIDATION for i in draft.hooks.get(hook, []) if _holds(i, told)]
    if not early:
        return []
    found = draft.validation
    if found is None or found.every is not None or found.in_batch:
        return f"line {early[0].node.lineno} tells it in a validation that not every epoch has"
    head = [i for i in early if i in draft.hooks.get(VALIDATION_START, [])]
    end = draft.hooks.get(VALIDATION_END, [])
    given = {v for i in head for v in draft.variables.use(i).written}
    first = next((n for n, i in enumerate(end) if i in early or _touches(draft, i, given)), len(end))
    late = [*head, *end[first:]]
    if any(i not in late for i in early):
        return f"line {early[0].node.lineno} tells it while the validation runs"
    for item in late:
        if not (_only_keeps(draft, item) if item in head else _is_quiet(draft, item)):
            return f"line {early[0].node.lineno} tells it before the epoch is over, when Lightning does not know it yet"
    return late


def put_off(draft: Draft, told: Collection[ast.AST]) -> None:
    """Have those items run when the epoch is over."""
    late = waiting(draft, told)
    if isinstance(late, str) or not late:
        return
    for hook in (VALIDATION_START, VALIDATION_END):
        draft.hooks[hook] = [i for i in draft.hooks.get(hook, []) if i not in late]
    draft.hooks[EPOCH_END] = [*late, *draft.hooks.get(EPOCH_END, [])]


def _holds(item: Item, told: Collection[ast.AST]) -> bool:
    return any(n in told for part, _frame in parts(item) for n in walk(part))


def _touches(draft: Draft, item: Item, variables: Collection[Variable]) -> bool:
    use = draft.variables.use(item)
    return any(v in variables for v in use.read | use.written)


def _only_keeps(draft: Draft, item: Item) -> bool:
    """Whether the item only gives the number to variables that neither the start of the validation nor its batches ask for or change."""
    if item.guard is not None or item.kind not in ("statement", "result"):
        return False
    if not isinstance(item.node, ast.Assign | ast.AugAssign):
        return False
    value = item.value if item.kind == "result" else item.node.value
    if value is None or (item.kind == "result" and item.node.value is not item.call):
        return False
    calls = [n for n in walk(value) if isinstance(n, ast.Call | ast.Await | ast.NamedExpr)]
    if any(not (isinstance(c, ast.Call) and isinstance(c.func, ast.Name) and c.func.id == "len") for c in calls):
        return False
    targets = item.node.targets if isinstance(item.node, ast.Assign) else [item.node.target]
    if not all(isinstance(t, ast.Name | ast.Tuple) for t in targets):
        return False
    own = draft.variables.use(item)
    theirs = draft.variables.sequence(_stays(draft, item))
    return not own.written & (theirs.read | theirs.written) and not own.read & theirs.written


def _stays(draft: Draft, item: Item) -> list[Item]:
    return [i for hook in (VALIDATION_START, VALIDATION_STEP) for i in draft.hooks.get(hook, []) if i is not item]


def _is_quiet(draft: Draft, item: Item) -> bool:
    """Whether it is the same behind the validation: it asks for no weights, modes, random numbers or clocks, and leaves nothing out."""
    if item.guard is not None or item.kind not in ("statement", "result", "bind"):
        return False
    if item.kind == "statement" and open_controls(draft, item.node):
        return False
    if any(w.item is item for w in draft.watched):
        return False
    e = draft.effects_of(item)
    return not (e.model or e.mode or e.gradients or e.optimizer or e.learning_rate or e.rng or e.clock)
