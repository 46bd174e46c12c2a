"""One epoch taken apart: what stands before, in and after the batch loop, and the validation among what stands after."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from .clearing import with_clearing
from .items import Item, around, callee_items, direct_calls, enter_frame, is_bar, items_of, no_grad_with
from .limited_loops import Count, Limit, count_of, limit_of
from .loops import Iterable, Loop, describe
from .nest import Frame, Nest, last_statement
from .opposites import opposite
from .roles import Role, Roles
from .syntax import Source, dotted, walk_scope

_QUIET = ("no_grad", "inference_mode")


class NotStraight(Exception):
    """The batch loop does not stand straight in the epoch's body; ``line`` and ``reason`` say where and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


@dataclass
class Epoch:
    """The items of one epoch around the batch loop, and those of one batch.

    ``leaving`` are those at a batch's top that end the epoch before the batch is used.
    """

    before: list[Item] = field(default_factory=list)
    leaving: list[Item] = field(default_factory=list)
    batch: list[Item] = field(default_factory=list)
    after: list[Item] = field(default_factory=list)
    unwrapped: list[ast.stmt] = field(default_factory=list)

    def copy(self) -> Epoch:
        """The same with lists of its own."""
        return Epoch([*self.before], [*self.leaving], [*self.batch], [*self.after], [*self.unwrapped])

    @property
    def items(self) -> list[Item]:
        """All of them, in the order in which they run."""
        return [*self.before, *self.leaving, *self.batch, *self.after]


@dataclass
class Validation:
    """A loop over data without a step, after the batch loop of the same epoch, or ``in_batch``: at the end of some batches.

    ``leading`` are the items between the batch loop and it; ``trailing`` belong to it, ``rest`` to the epoch.
    """

    loop: Loop
    frame: Frame
    leading: list[Item]
    before: list[Item]
    body: list[Item]
    trailing: list[Item]
    rest: list[Item]
    unwrapped: list[ast.stmt]
    every: ast.expr | None = None
    """The condition of the `if` statement ``block``, read in the frame ``asked``, under which it runs."""
    asked: Frame | None = None
    block: ast.If | None = None
    call: ast.Call | None = None
    around: list[ast.Call] = field(default_factory=list)
    """The calls of the functions in which ``call`` stands, innermost first."""
    limit: Limit | None = None
    """What lets it run over the first batches only."""
    earlier: list[ast.AST] = field(default_factory=list)
    """What the call's statement has evaluated when the call runs."""
    in_batch: bool = False
    otherwise: list[Item] = field(default_factory=list)
    unless: ast.expr | None = None
    """What runs where ``every`` does not hold, the other arm of ``block``, and the condition for that."""
    others: list[Validation] = field(default_factory=list)
    """Those that follow at once, over loaders of their own: Lightning runs over one loader after the other."""
    once: ast.Assign | None = None
    """The statement that gets the only batch, where no loop does."""
    late: bool = False
    """Whether the Trainer gets loaders that start at their first batch only."""
    early: list[Item] = field(default_factory=list)
    """What of ``leading`` runs behind the last batch, before Lightning begins to validate."""
    made: str = ""
    """The loader as the entry point makes it, where the evaluation makes it for itself."""
    makes: list[Item] = field(default_factory=list)
    """What of ``before`` made it, and falls away."""
    arms: tuple[tuple[int, ...], ...] = ()
    """Where other functions evaluate, too: the places among ``all`` of those by the same function, for each of the functions."""

    @property
    def all(self) -> list[Validation]:
        """It and the others, in their order."""
        return [self, *self.others]

    @property
    def firsts(self) -> list[Validation]:
        """The first evaluation by each of the functions."""
        return [self.all[places[0]] for places in self.arms] if self.arms else [self]

    def over_several(self, frame: Frame) -> bool:
        """Whether the function that runs in a frame evaluates over several loaders."""
        at = next((i for i, one in enumerate(self.all) if one.frame is frame), 0)
        return any(at in places and len(places) > 1 for places in self.arms) if self.arms else bool(self.others)

    @property
    def calls(self) -> list[ast.Call]:
        """The calls of the functions that it and the others are made of."""
        return [call for one in self.all for call in (one.call, *one.around) if call is not None]

    @property
    def frames(self) -> list[Frame]:
        """Those functions as they run for it and the others, for each the innermost first."""
        found: list[Frame] = []
        for one in self.all:
            frame: Frame | None = one.frame
            for _call in (one.call, *one.around):
                if frame is not None and frame not in found:
                    found.append(frame)
                frame = frame.caller if frame is not None else None
        return found

    def trained(self, batch: list[Item]) -> list[Item]:
        """The items of a batch without this evaluation, which may follow it."""
        return [i for i in batch if not self.in_batch or i.node is not self.block]


def take_apart(source: Source, roles: Roles, nest: Nest) -> Epoch:
    """The epoch of a nest. Raises NotStraight when a branch or an unknown block stands around the batch loop."""
    epoch = Epoch()
    if nest.batches is None:
        body = nest.outermost.body
        epoch.batch = with_clearing(source, _around_step(source, items_of(body, nest.entry), nest, epoch), nest)
        return epoch
    batch = _around_step(source, items_of(nest.batches.node.body, nest.inner), nest, epoch)
    epoch.batch = with_clearing(source, batch, nest)
    if nest.epochs is None:
        return epoch
    items = items_of(nest.epochs.node.body, nest.entry)
    before, after = _split(source, items, nest, epoch)
    epoch.before, epoch.after = before, after
    return epoch


def _split(source: Source, items: list[Item], nest: Nest, epoch: Epoch) -> tuple[list[Item], list[Item]]:
    assert nest.batches is not None
    loop = nest.batches.node
    for index, item in enumerate(items):
        node = item.node
        if node is loop:
            if loop.orelse and any(isinstance(n, ast.Break) for n in walk_scope(loop.body)):
                raise NotStraight(loop.lineno, "the batch loop has an `else` and may be left by `break`")
            return items[:index], [*items_of(loop.orelse, item.frame), *items[index + 1 :]]
        called = [f for f in (*nest.between, nest.inner) if f.caller is item.frame and node is f.statement]
        if nest.inner is not nest.entry and called:
            check_call_first(node, called[0].call)
            binds, body, result = callee_items(called[0], node)
            before, after = _split(source, body, nest, epoch)
            return [*items[:index], *binds, *before], [*without_return(after), *result, *items[index + 1 :]]
        if _holds(node, loop, nest):
            if isinstance(node, ast.With) and (_enables_grad(node) or _is_bar(node)):
                epoch.unwrapped.append(node)
                before, after = _split(source, items_of(node.body, item.frame, node), nest, epoch)
                return [*items[:index], *before], [*after, *items[index + 1 :]]
            if isinstance(node, ast.With) and _may_be_spread(node):
                before, after = _split(source, items_of(node.body, item.frame, node), nest, epoch)
                begin, end = Item(node, item.frame, "enter"), Item(node, item.frame, "leave")
                return [*items[:index], begin, *before], [*after, end, *items[index + 1 :]]
            raise NotStraight(node.lineno, f"the batch loop stands inside a `{type(node).__name__.lower()}` block")
    raise NotStraight(loop.lineno, "the batch loop could not be reached from the epoch loop")


def _around_step(source: Source, items: list[Item], nest: Nest, epoch: Epoch) -> list[Item]:
    """Replace the call of a step function by its body."""
    if nest.step_frame is nest.inner or nest.step_frame is nest.entry:
        return items
    frame = nest.step_frame
    for index, item in enumerate(items):
        if item.node is frame.statement:
            check_call_first(item.node, frame.call)
            frame.caller = item.frame
            binds, body, result = callee_items(frame, item.node)
            return [*items[:index], *binds, *without_return(body), *result, *items[index + 1 :]]
    line = frame.statement.lineno if frame.statement else 0
    raise NotStraight(line, f"`{frame.name}` is not called straight in the loop's body")


def check_call_first(statement: ast.stmt, call: ast.Call | None) -> None:
    """Raise NotStraight unless the statement surely runs the call, once."""
    if not isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign):
        raise NotStraight(statement.lineno, f"the call stands in a `{type(statement).__name__.lower()}` statement")
    for node in walk_scope(statement):
        if isinstance(node, ast.IfExp | ast.BoolOp | ast.ListComp | ast.GeneratorExp | ast.Lambda):
            raise NotStraight(statement.lineno, "the call may run not at all or several times")


def without_return(items: list[Item]) -> list[Item]:
    """A function's items without its last `return`, which is part of the call's result."""
    if items and isinstance(items[-1].node, ast.Return) and items[-1].kind == "statement":
        return items[:-1]
    return items


def _holds(node: ast.stmt, loop: ast.stmt, nest: Nest) -> bool:
    calls = [f.call for f in (*nest.between, nest.inner) if f.call is not None] if nest.inner is not nest.entry else []
    return any(inner is loop or any(inner is call for call in calls) for inner in ast.walk(node))


def _enables_grad(node: ast.With) -> bool:
    return all(
        isinstance(i.context_expr, ast.Call)
        and i.optional_vars is None
        and dotted(i.context_expr.func).rpartition(".")[2] in ("enable_grad", "set_grad_enabled")
        and all(isinstance(a, ast.Constant) and a.value is True for a in i.context_expr.args)
        for i in node.items
    )


def _may_be_spread(node: ast.With) -> bool:
    """Whether the block may begin in one hook and end in another: not if it catches errors, switches gradients or is left early."""
    if any(isinstance(n, ast.Return) for n in walk_scope(node.body)):
        return False
    for statement in node.body:
        straight = not isinstance(statement, ast.For | ast.While)
        if straight and any(isinstance(n, ast.Break | ast.Continue) for n in walk_scope(statement)):
            return False
    names = [
        dotted(i.context_expr.func if isinstance(i.context_expr, ast.Call) else i.context_expr) for i in node.items
    ]
    return all(name and not re.search("grad|inference|suppress|raises|assert", name, re.I) for name in names)


def _is_bar(node: ast.With) -> bool:
    return all(is_bar(i.context_expr) for i in node.items)


# ---- validation


def find_validation(source: Source, roles: Roles, nest: Nest, after: list[Item]) -> Validation | None:
    """The first evaluation loop after the batch loop that stands straight in the epoch (or under an epoch condition)."""
    for index, item in enumerate(after):
        if item.kind != "statement":
            continue
        found = validation_at(source, roles, item)
        if found is not None:
            found.leading = after[:index]
            found.rest = [*found.rest, *after[index + 1 :]]
            return found
        if _skips_rest(item.node):
            return _validation_behind(source, roles, after, index)
        if _breaks_order(item):
            return None
    return None


def _skips_rest(node: ast.stmt) -> bool:
    """Whether a statement of the epoch is ``if test: continue``."""
    match node:
        case ast.If(body=[ast.Continue()], orelse=[]):
            return True
    return False


def _validation_behind(source: Source, roles: Roles, after: list[Item], index: int) -> Validation | None:
    """The validation among what an ``if test: continue`` leaves out in some epochs: all of that belongs to it."""
    skip = after[index]
    assert isinstance(skip.node, ast.If)
    rest = after[index + 1 :]
    for position, item in enumerate(rest):
        if item.kind != "statement":
            continue
        found = validation_at(source, roles, item)
        if found is not None and found.every is None:
            found.leading = after[:index]
            found.before = [*rest[:position], *found.before]
            found.trailing = [*found.trailing, *found.rest, *rest[position + 1 :]]
            found.rest = []
            found.unwrapped.append(skip.node)
            found.every, found.asked, found.block = opposite(skip.node.test), skip.frame, skip.node
            return found
        if found is not None or _breaks_order(item):
            return None
    return None


def hidden_evaluation(source: Source, roles: Roles, after: list[Item]) -> ast.Call | None:
    """A call after the batch loop, somewhere inside of a statement, of a function that evaluates over a loader."""
    for item in after:
        if item.kind != "statement":
            continue
        for node in walk_scope(item.node):
            function = source.function(dotted(node.func)) if isinstance(node, ast.Call) else None
            if function is None or has_backward(function) or not _evaluates(roles, function):
                continue
            loops = [n for n in walk_scope(function.body) if isinstance(n, ast.For)]
            if any(describe(loop, function, roles).kind is Iterable.LOADER for loop in loops):
                assert isinstance(node, ast.Call)
                return node
    return None


def _evaluates(roles: Roles, function: ast.FunctionDef) -> bool:
    """Whether a function runs without gradients, or puts a module into evaluation mode."""
    quiet = [dotted(d.func if isinstance(d, ast.Call) else d) for d in function.decorator_list]
    return any(name.rpartition(".")[2] in _QUIET for name in quiet) or any(
        (isinstance(n, ast.With) and no_grad_with(n))
        or (isinstance(n, ast.Attribute) and n.attr == "eval" and roles.of(n.value, function) is Role.MODEL)
        for n in walk_scope(function.body)
    )


def _breaks_order(item: Item) -> bool:
    return any(isinstance(n, ast.Break | ast.Continue | ast.Return) for n in ast.walk(item.node))


def validation_at(source: Source, roles: Roles, item: Item) -> Validation | None:
    """The evaluation that a statement of an epoch is: a loop over data, a block around one, or the call of a function with one."""
    node = item.node
    if isinstance(node, ast.If):
        return _validation_in_arm(source, roles, node, item.frame)
    if isinstance(node, ast.For):
        loop = describe(node, item.frame.scope, roles)
        if loop.kind is not Iterable.LOADER or node.orelse or has_backward(node):
            return None
        limit = limit_of(item.frame.scope, roles, loop)
        if limit is not None:
            body = items_of(limit.body, item.frame, node)
            return Validation(loop, item.frame, [], [], body, [], [], [limit.test], limit=limit)
        return Validation(loop, item.frame, [], [], items_of(node.body, item.frame), [], [], [])
    if no_grad_with(node):
        assert isinstance(node, ast.With)
        return _validation_in_block(source, roles, node, node.body, item.frame)
    return _validation_in_call(source, roles, item)


def _validation_in_arm(source: Source, roles: Roles, node: ast.If, frame: Frame) -> Validation | None:
    """The validation in the one arm of an `if` statement that has one."""
    found = _validation_in_block(source, roles, node, node.body, frame)
    other = _validation_in_block(source, roles, node, node.orelse, frame)
    if found is not None and other is not None:
        return None
    if found is not None:
        found.every, found.unless = node.test, opposite(node.test)
        found.otherwise = items_of(node.orelse, frame, node)
    elif other is not None:
        found = other
        found.every, found.unless = opposite(node.test), node.test
        found.otherwise = items_of(node.body, frame, node)
    else:
        return None
    found.asked, found.block = frame, node
    return found


def _validation_in_block(
    source: Source, roles: Roles, node: ast.If | ast.With, body: list[ast.stmt], frame: Frame
) -> Validation | None:
    """The validation among a block's statements; what stands around it there belongs to it."""
    inner = items_of(body, frame, node)
    for position, child in enumerate(inner):
        found = validation_at(source, roles, child)
        if found is not None and found.every is None:
            found.before = [*inner[:position], *found.before]
            found.trailing = [*found.trailing, *found.rest, *inner[position + 1 :]]
            found.rest = []
            found.unwrapped.append(node)
            return found
    return None


def _validation_in_call(
    source: Source, roles: Roles, item: Item, result_before: Item | None = None
) -> Validation | None:
    taken = result_before.calls if result_before is not None else []
    for call in direct_calls(item.node):
        function = source.function(dotted(call.func))
        if call in taken or function is None or not _loops(source, function):
            continue
        earlier = [rest for part in parts_before(item.node, call) for rest in around(part, taken)]
        if any(acts(source, n) for part in earlier for n in walk_scope(part)):
            continue
        count = count_of(function, roles)
        frame = enter_frame(source, call, item.frame, count.empty if count is not None else None)
        if isinstance(frame, str):
            return None
        try:
            check_call_first(item.node, call)
        except NotStraight:
            return None
        binds, body, result = callee_items(frame, item.node)
        if result and breaks_text(item.node, call, result[0].value):
            return None
        for one in result:
            one.inner = result_before
        for position, child in enumerate(body):
            found = validation_at(source, roles, child)
            if found is not None and found.every is None:
                found.before = [*binds, *body[:position], *found.before]
                found.trailing = [
                    *_drop_return([*found.trailing, *found.rest, *body[position + 1 :]], frame),
                    *result,
                ]
                found.rest = []
                return _called(found, call, earlier) if _is_counted(found, frame, count, result) else None
        return None
    return None


def _loops(source: Source, function: ast.FunctionDef) -> bool:
    """Whether a function has a loop, or calls one of the file that has."""
    called = [source.function(dotted(n.func)) for n in walk_scope(function.body) if isinstance(n, ast.Call)]
    bodies = [function, *(f for f in called if f is not None)]
    return any(isinstance(n, ast.For) for f in bodies for n in walk_scope(f.body))


def _called(found: Validation, call: ast.Call, earlier: list[ast.AST]) -> Validation | None:
    """The validation in a function as the call of that function."""
    if found.call is None:
        found.call, found.earlier = call, earlier
    elif earlier:
        return None
    else:
        found.around.append(call)
    return found


def _is_counted(found: Validation, frame: Frame, count: Count | None, result: list[Item]) -> bool:
    """Whether what a function counts before its loop is the loop's limit, if it has to be: Lightning counts then, and it falls away."""
    if count is None or found.frame is not frame or found.limit is None:
        return count is None or count.empty is None
    found.before = [i for i in found.before if i.node is not count.statement and i.target != count.name]
    found.unwrapped.append(count.statement)
    if count.empty is not None and count.empty.value is not None:
        assert isinstance(count.statement, ast.If)
        for one in result:
            one.unless = count.statement.test, count.empty.value
    return True


_FINDING_METHODS = {"float", "double", "item", "cpu", "detach", "numpy", "mean", "sum"}
_FINDING_FUNCTIONS = {"len", "float", "int", "round", "abs"}
"""What finds a number in tensors and numbers, and does no more."""


def acts(source: Source, node: ast.AST) -> bool:
    """Whether a node may do more than to find a value, so that it has to be evaluated in its place."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name), args=[], keywords=[]) if name in _FINDING_METHODS:
            return any(f.name == name for f in source.functions)
        case ast.Call(func=ast.Name(id=name)) if name in _FINDING_FUNCTIONS:
            return any(f.name == name or f.name == f"__{name}__" for f in source.functions) or name in source.classes
    return isinstance(node, ast.Call | ast.Await)


def validation_in_result(source: Source, roles: Roles, result: Item) -> Validation | None:
    """The evaluation by another call in a statement that uses the result of one already."""
    return _validation_in_call(source, roles, Item(result.node, result.frame), result)


def parts_before(statement: ast.stmt, call: ast.Call) -> list[ast.AST]:
    """The largest parts of a statement whose value is there before the call runs."""
    value = getattr(statement, "value", None)
    found: list[ast.AST] = [statement.target] if isinstance(statement, ast.AugAssign) else []
    node: ast.AST | None = value
    while node is not None and node is not call:
        children = [c for c in ast.iter_child_nodes(node) if not isinstance(c, ast.expr_context | ast.operator)]
        at = next((i for i, c in enumerate(children) if any(n is call for n in ast.walk(c))), None)
        if at is None:
            return found
        found += children[:at] + (children[at + 1 :] if isinstance(node, ast.Dict) else [])
        node = children[at]
    return [part for part in found if not isinstance(part, ast.Constant)]


def breaks_text(statement: ast.stmt, call: ast.Call, value: ast.expr | None) -> bool:
    """Whether the call stands in an f-string, in which its value could not be written."""
    formatted = any(isinstance(n, ast.JoinedStr) and any(c is call for c in ast.walk(n)) for n in ast.walk(statement))
    return formatted and any(
        isinstance(n, ast.Dict | ast.Lambda | ast.JoinedStr)
        or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        for n in ast.walk(value or call)
    )


def _drop_return(items: list[Item], frame: Frame) -> list[Item]:
    function = frame.scope
    assert not isinstance(function, ast.Module)
    last = last_statement(function.body)
    return [i for i in items if not (i.kind == "statement" and i.node is last and isinstance(last, ast.Return))]


def has_backward(node: ast.AST) -> bool:
    """Whether something below the node runs a backward pass or takes gradients."""
    return any(
        (isinstance(n, ast.Attribute) and n.attr in ("backward", "manual_backward"))
        or (isinstance(n, ast.Call) and dotted(n.func).endswith("autograd.grad"))
        for n in ast.walk(node)
    )
