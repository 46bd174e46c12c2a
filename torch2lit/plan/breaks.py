"""A `break` that ends every epoch after a known number of batches is the Trainer's ``limit_train_batches``.

    if batch_idx % args.log_interval == 0:
        print(...)
        if args.dry_run:            # true or false for the whole run, and index 0 always gets here
            break                   →   Trainer(limit_train_batches=1 if args.dry_run else None)

    if i + 1 >= steps: break        →   Trainer(limit_train_batches=steps)

Only a break after the optimizer step counts: at the loop's top, the raw loop has fetched one batch more. Where the
Trainer runs one loop only, a `break` that ends its turn becomes ``self.trainer.should_stop = True``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..program import Claim
from ..recover.items import Item
from ..recover.loops import Loop
from ..recover.names import flow
from ..recover.roles import Role
from ..recover.syntax import conditions_of, walk
from ..recover.variables import Variable
from .asked_again import answers_the_same, calls_methods
from .draft import Draft, Removal
from .entry_names import at_entry
from .last_returns import leaves_only_loop
from .steps import controls
from .train_data import same_in_every_epoch
from .turns import while_condition
from .unseen_ends import ends_unseen

_LIMIT = "limit_train_batches"


def claim_breaks(draft: Draft) -> None:
    """Claim the breaks that are the last thing that a batch does."""
    nest = draft.nest
    claimed = _claim_limit(draft, nest.batches) if nest.batches is not None else False
    if not claimed and (nest.batches is None or nest.epochs is None):
        _claim_ends_of_turns(draft)


def _claim_limit(draft: Draft, batches: Loop) -> bool:
    """Claim the one break of a batch loop that ends every epoch after so many batches, or ends the epochs with it."""
    found = _last_break(draft, draft.epoch.batch)
    if found is None or not _after_step(draft, *found):
        return False
    item, control = found
    if isinstance(control, ast.Return):
        if draft.nest.epochs is not None and ends_unseen(draft) and _ends(item.node, control):
            _claim_stop(draft, control, "nothing of the epoch follows")
            return True
        return False
    path = _branches_to(item.node, control)
    if path is None:
        return False
    if len(path[-1].body) == 1 and _after_step(draft, item) and (limit := _limit(draft, item, path, batches)):
        remove_break(draft, path[-1], _LIMIT)
        draft.trainer = draft.trainer.set(_LIMIT, limit)
        return True
    if draft.nest.epochs is not None and _stops_epochs_too(draft, item, path):
        _claim_stop(draft, control, "the same condition ends the epochs too")
        return True
    return False


def ends_training(draft: Draft, item: Item, control: ast.AST) -> bool:
    """Whether a control amid a batch ends the training with it: the batch is the last one, and all that is left of it is passed over."""
    if isinstance(control, ast.Return):
        return leaves_only_loop(draft, control) and ends_unseen(draft)
    path = _branches_to(item.node, control)
    return path is not None and _stops_epochs_too(draft, item, path)


def _claim_stop(draft: Draft, control: ast.AST, reason: str) -> None:
    draft.claims[control] = Claim("trainer.should_stop", reason, _stop)  # type: ignore[index]
    draft.claimed_by[control] = "break_after_batches"  # type: ignore[index]


def _claim_ends_of_turns(draft: Draft) -> None:
    """Claim the breaks of the one loop that the Trainer runs, where nothing of the turn would follow them."""
    item = draft.epoch.batch[-1] if draft.epoch.batch else None
    breaks = list(_breaks_in(draft, draft.epoch.batch))
    if item is None or not breaks or any(owner is not item for owner, _ in breaks) or not _after_step(draft, item):
        return
    if all(_ends(item.node, control) for _, control in breaks):
        for _, control in breaks:
            _claim_stop(draft, control, "nothing of the turn follows")


def _ends(statement: ast.stmt, control: ast.AST) -> bool:
    """Whether nothing of a statement runs after the control inside: it ends each `if` block around it."""
    if statement is control:
        return True
    return isinstance(statement, ast.If) and any(
        block and _ends(block[-1], control) for block in (statement.body, statement.orelse)
    )


def left_by_break(draft: Draft, but: Sequence[Item] = ()) -> bool:
    """Whether a `break` ends the batch loop before its loader does, now through the Trainer; those in ``but`` do not count."""
    known = {id(item.node) for item in but}
    items = [i for i in [*draft.epoch.leaving, *draft.epoch.batch] if id(i.node) not in known]
    return any(True for _ in _breaks_in(draft, items))


def may_end_early(draft: Draft) -> bool:
    """Whether an epoch may end before the last of the batches that the Trainer knows of."""
    limited = limited_by_trainer(draft)
    return any(id(c) not in limited for _, c in _breaks_in(draft, draft.epoch.batch))


def limited_by_trainer(draft: Draft) -> set[int]:
    """The nodes of the `break` behind which no batch is the Trainer's, because it limits them: it knows which is the last one."""
    told = [s for s, removal in draft.removals.items() if removal.target == f"Trainer({_LIMIT}=...)"]
    return {id(n) for s in told for n in walk(s)}


def validation_break(draft: Draft, items: list[Item], loop: Loop) -> tuple[ast.stmt, str] | None:
    """The same for a validation loop: the statement that falls away, and the value of ``limit_val_batches``."""
    found = _last_break(draft, items)
    if found is None or not isinstance(found[1], ast.Break):
        return None
    path = _branches_to(found[0].node, found[1])
    if path is not None and len(path[-1].body) == 1 and (limit := _limit(draft, found[0], path, loop)):
        return path[-1], limit
    return None


def remove_break(draft: Draft, statement: ast.stmt, argument: str) -> None:
    """Take the break's statement away: the Trainer's argument says the same."""
    draft.removals[statement] = Removal(
        f"Trainer({argument}=...)", "break_after_batches", "the Trainer ends the loop there"
    )


def _breaks_in(draft: Draft, items: list[Item]) -> Iterator[tuple[Item, ast.AST]]:
    for item in items:
        for control in controls(item.node) if item.kind == "statement" else []:
            if isinstance(control, ast.Break) or leaves_only_loop(draft, control):
                yield item, control


def _last_break(draft: Draft, items: list[Item]) -> tuple[Item, ast.AST] | None:
    leaving = list(_breaks_in(draft, items))
    if len(leaving) != 1 or leaving[0][0] is not items[-1]:
        return None
    return leaving[0]


def _stops_epochs_too(draft: Draft, item: Item, path: list[ast.If]) -> bool:
    """Whether the epoch loop is left under the very same condition, which nothing changes in between.

    Then stopping is Lightning's ``should_stop``: it ends the epoch after this batch, and validation and the end of
    the epoch still run, as they do in the script.
    """
    if (flag := _flag(draft, item, path[-1])) is not None:
        return _flag_stops_epochs(draft, *flag)
    inner = path[-1]
    names = {n.id for n in walk(inner.test) if isinstance(n, ast.Name)}
    of = draft.variables.of
    if any(of(item.frame, n) is not of(draft.nest.entry, n) for n in names):
        return False
    before = inner.body[:-1]
    if flow(before).written & names:
        return False
    condition = while_condition(draft)
    negated = condition is not None and _rules_out(inner.test, condition)
    between: list[Item] = []
    for later in draft.epoch.after:
        if not negated and _asks_the_same(draft, later, inner.test):
            break
        goes_on = later.kind == "statement" and any(isinstance(c, ast.Continue) for c in controls(later.node))
        if goes_on or any(v.name in names for v in draft.variables.use(later).written):
            return False
        between.append(later)
    else:
        if not negated:
            return False
    passed = [*((s, item.frame.scope) for s in before), *((i.node, i.frame.scope) for i in between)]
    return answers_the_same(draft, inner.test, item.frame, passed, names)


def _asks_the_same(draft: Draft, later: Item, test: ast.expr) -> bool:
    node = later.node
    if not isinstance(node, ast.If) or later.frame is not draft.nest.entry:
        return False
    return ast.unparse(node.test) == ast.unparse(test) and _leaves(node)


def _leaves(node: ast.If) -> bool:
    return any(isinstance(c, ast.Break) for c in controls(node)) and isinstance(node.body[-1], ast.Break)


def _flag(draft: Draft, item: Item, around: ast.If) -> tuple[Variable, bool] | None:
    """The one name that gets True or False right before the `break`, and that value: ``done = True`` and ``break``."""
    match around.body[-2:]:
        case [ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=bool() as value)), ast.Break()]:
            variable = draft.variables.of(item.frame, name)
            if variable is not None and variable is draft.variables.of(draft.nest.entry, name):
                return variable, value
    return None


def _flag_stops_epochs(draft: Draft, flag: Variable, value: bool) -> bool:
    """Whether the epoch loop ends because of the flag, which nothing changes in between."""
    condition = while_condition(draft)
    if condition is not None and _always(condition, flag.name, value) is False:
        return not any(flag in draft.variables.use(item).written for item in draft.epoch.after)
    for later in draft.epoch.after:
        node = later.node
        if isinstance(node, ast.If) and later.frame is draft.nest.entry:
            if _always(node.test, flag.name, value) and _leaves(node):
                return True
        if flag in draft.variables.use(later).written:
            return False
    return False


def _always(test: ast.expr, name: str, value: bool) -> bool | None:
    """What a condition says when a name has this value, whatever else it asks; None when that is open."""
    match test:
        case ast.Name(id=found) if found == name:
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            said = _always(operand, name, value)
            return None if said is None else not said
        case ast.BoolOp(op=op, values=[*parts]):
            decisive = isinstance(op, ast.Or)
            said_of_parts = [_always(part, name, value) for part in parts]
            return decisive if decisive in said_of_parts else None
        case ast.Compare(
            left=ast.Name(id=found),
            ops=[ast.Eq() | ast.Is() | ast.NotEq() | ast.IsNot() as compared],
            comparators=[ast.Constant(value=bool() as other)],
        ) if found == name:
            return (value is other) is isinstance(compared, ast.Eq | ast.Is)
    return None


_AGAINST: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.GtE, ast.Gt, ast.Eq), ast.LtE: (ast.Gt,), ast.Gt: (ast.LtE, ast.Lt, ast.Eq), ast.GtE: (ast.Lt,),
    ast.Eq: (ast.NotEq, ast.Lt, ast.Gt), ast.NotEq: (ast.Eq,),
}  # fmt: skip
"""For each comparison those of the same two values that cannot hold with it."""


def _rules_out(one: ast.expr, other: ast.expr) -> bool:
    """Whether the other condition surely does not hold where the one does: ``enough and step == n`` and ``step < n``."""
    pairs = ((a, b) for a in conditions_of(one) for b in conditions_of(other))
    return _contradicts(one, other) or any(_contradicts(a, b) for a, b in pairs)


def _contradicts(one: ast.expr, other: ast.expr) -> bool:
    """Whether the two conditions never hold together: ``step >= n`` and ``step < n``, ``done`` and ``not done``."""
    if isinstance(other, ast.UnaryOp) and isinstance(other.op, ast.Not):
        return ast.unparse(other.operand) == ast.unparse(one)
    match one, other:
        case (
            ast.Compare(left=left, ops=[first], comparators=[right]),
            ast.Compare(left=other_left, ops=[second], comparators=[other_right]),
        ):
            same = ast.unparse(left) == ast.unparse(other_left) and ast.unparse(right) == ast.unparse(other_right)
            return same and type(first) in _AGAINST.get(type(second), ())
    return False


def _stop(_node: object) -> object:
    import libcst as cst

    return cst.parse_statement("self.trainer.should_stop = True")


def _after_step(draft: Draft, item: Item, control: ast.AST | None = None) -> bool:
    """Whether an item stands behind the optimizer step, or the control in it does."""
    last = max(site.lineno for site in draft.nest.sites)
    line = item.node.lineno if control is None else getattr(control, "lineno", 0)
    return draft.nest.step_frame is not item.frame or line > last


def _branches_to(statement: ast.stmt, control: ast.AST) -> list[ast.If] | None:
    """The `if` statements from the outside in, each the last of its block and without `else`; None otherwise."""
    path: list[ast.If] = []
    current: ast.stmt = statement
    while current is not control:
        if not isinstance(current, ast.If) or current.orelse:
            return None
        path.append(current)
        current = current.body[-1]
    return path or None


def _limit(draft: Draft, item: Item, path: list[ast.If], loop: Loop) -> str:
    """The number of batches as source at the entry point; "" when it is not known."""
    index = loop.index
    first = loop.first
    if first is not None and not (isinstance(first, ast.Constant) and first.value == 0):
        return ""
    *outer, inner = path
    if not all(index and _holds_at_first(test.test, index) for test in outer):
        return ""
    if not outer and index and (count := _count(draft, item, inner.test, index)):
        return count
    flag = at_entry(draft, inner.test, item.frame)
    names = {n.id for n in walk(inner.test) if isinstance(n, ast.Name)}
    if not flag or _mentions_data(draft, inner.test, item):
        return ""
    if any(calls_methods(draft, i.node, names) for i in draft.epoch.items):
        return ""
    return f"1 if {flag} else None"


def _mentions_data(draft: Draft, node: ast.expr, item: Item) -> bool:
    return any(
        isinstance(n, ast.Name)
        and draft.role(n, item.frame) in (Role.MODEL, Role.OPTIMIZER, Role.LOADER, Role.SCHEDULER)
        for n in walk(node)
    )


def _holds_at_first(test: ast.expr, index: str) -> bool:
    """Whether the test is true for the first batch, whatever else is in it: ``index % n == 0``, ``index == 0``."""
    match test:
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(_holds_at_first(v, index) for v in values)
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
            return name == index
        case ast.Compare(
            left=ast.BinOp(left=ast.Name(id=name), op=ast.Mod()),
            ops=[ast.Eq()],
            comparators=[ast.Constant(value=0)],
        ):
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
    bound, unread = at_entry(draft, right, item.frame), list[ast.stmt]()
    if not bound:
        bound, unread = same_in_every_epoch(draft, right, item.frame)
    count = _batches_until(draft, item, right, operator, bound, more) if bound else ""
    for statement in unread if count else []:
        draft.removals[statement] = Removal(
            f"Trainer({_LIMIT}=...)", "break_after_batches", "the Trainer's limit is worked out once"
        )
    return count


def _batches_until(draft: Draft, item: Item, right: ast.expr, operator: ast.cmpop, bound: str, more: int) -> str:
    """The same, as source that says ``bound`` for what the index is compared with; "" when it is not known."""
    if isinstance(right, ast.Constant) and isinstance(right.value, int):
        return str(right.value + more) if right.value + more > 0 else ""
    positive = isinstance(value := _known(draft, right, item), int) and value > 0
    if isinstance(operator, ast.Eq):
        if more:
            return bound + f" + {more}" if positive else ""
        bound = f"({bound})" if " if " in bound else bound
        return bound if positive else f"{bound} or None"  # a count of 0 is never reached: all batches run
    if more:
        return f"{bound} + {more}" if positive else f"max(0, {bound}) + {more}"
    return bound if positive else f"max(1, {bound})"  # one batch has run before the first look at the count


def _known(draft: Draft, node: ast.expr, item: Item) -> object:
    """The value of a name that is bound once, to a literal."""
    if isinstance(node, ast.Name) and (key := draft.roles.key(item.frame.scope, node.id)):
        bindings = draft.roles.bindings(key)
        if len(bindings) == 1 and bindings[0].index is None and isinstance(bindings[0].value, ast.Constant):
            return bindings[0].value.value
    return None
