"""A `break` that ends every epoch after a known number of batches is the Trainer's ``limit_train_batches``.

    if batch_idx % args.log_interval == 0:
        print(...)
        if args.dry_run:            # true or false for the whole run, and index 0 always gets here
            break                   →   Trainer(limit_train_batches=1 if args.dry_run else None)

    if i + 1 >= steps: break        →   Trainer(limit_train_batches=steps)

Only a break after the optimizer step counts: at the loop's top, the raw loop has fetched one batch more.
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.roles import Role
from .draft import Draft, Removal
from .entry_names import at_entry
from .steps import controls


def claim_breaks(draft: Draft) -> None:
    """Claim the one such break of the batch loop, if it is the last thing that a batch does."""
    nest = draft.nest
    if nest.batches is None or nest.epochs is None:
        return
    items = draft.epoch.batch
    leaving = [(i, c) for i in items if i.kind == "statement" for c in controls(i.node) if isinstance(c, ast.Break)]
    if len(leaving) != 1 or leaving[0][0] is not items[-1]:
        return
    item, control = leaving[0]
    if not _after_step(draft, item):
        return
    path = _branches_to(item.node, control)
    if path is None:
        return
    limit = _limit(draft, item, path)
    if limit:
        draft.removals[path[-1]] = Removal("Trainer(limit_train_batches=...)", "break_after_batches", "the Trainer ends the epoch there")
        draft.trainer["limit_train_batches"] = limit


def _after_step(draft: Draft, item: Item) -> bool:
    last = max(call.lineno for call in draft.nest.steps)
    return draft.nest.step_frame is not item.frame or item.node.lineno > last


def _branches_to(statement: ast.stmt, control: ast.AST) -> list[ast.If] | None:
    """The `if` statements from the outside in, each the last of its block and without `else`; None otherwise."""
    path: list[ast.If] = []
    current: ast.stmt = statement
    while current is not control:
        if not isinstance(current, ast.If) or current.orelse:
            return None
        path.append(current)
        current = current.body[-1]
    return path if path and len(path[-1].body) == 1 else None


def _limit(draft: Draft, item: Item, path: list[ast.If]) -> str:
    """The number of batches as source at the entry point; "" when it is not known."""
    assert draft.nest.batches is not None
    index = draft.nest.batches.index
    first = draft.nest.batches.first
    if first is not None and not (isinstance(first, ast.Constant) and first.value == 0):
        return ""
    *outer, inner = path
    if not all(index and _holds_at_first(test.test, index) for test in outer):
        return ""
    if not outer and index and (count := _count(draft, item, inner.test, index)):
        return count
    flag = at_entry(draft, inner.test, item.frame)
    if not flag or _mentions_data(draft, inner.test, item):
        return ""
    return f"1 if {flag} else None"


def _mentions_data(draft: Draft, node: ast.expr, item: Item) -> bool:
    return any(
        isinstance(n, ast.Name) and draft.role(n, item.frame) in (Role.MODEL, Role.OPTIMIZER, Role.LOADER, Role.SCHEDULER)
        for n in ast.walk(node)
    )


def _holds_at_first(test: ast.expr, index: str) -> bool:
    """Whether ``index % n == 0``: true for the first batch, whatever n."""
    match test:
        case ast.Compare(left=ast.BinOp(left=ast.Name(id=name), op=ast.Mod()), ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
            return name == index
        case ast.UnaryOp(op=ast.Not(), operand=ast.BinOp(left=ast.Name(id=name), op=ast.Mod())):
            return name == index
    return False


def _count(draft: Draft, item: Item, test: ast.expr, index: str) -> str:
    """How many batches run until ``index >= k`` (or ``==``, ``>``, with ``+ 1``) holds after one of them."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return ""
    left, operator, right = test.left, test.ops[0], test.comparators[0]
    more = 1
    if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add) and isinstance(left.right, ast.Constant):
        if left.right.value != 1:
            return ""
        left, more = left.left, 0
    if not isinstance(left, ast.Name) or left.id != index:
        return ""
    if isinstance(operator, ast.Gt):
        more += 1
    elif not isinstance(operator, ast.GtE | ast.Eq):
        return ""
    bound = at_entry(draft, right, item.frame)
    if not bound:
        return ""
    if isinstance(right, ast.Constant) and isinstance(right.value, int):
        return str(right.value + more) if right.value + more > 0 else ""
    if isinstance(operator, ast.Eq) and more != 1:
        return ""
    return bound if more == 0 else f"{bound} + {more}"
