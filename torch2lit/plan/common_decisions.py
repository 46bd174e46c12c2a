"""Decisions of several processes: where each might decide by a number of its own, the first one decides for all.

    if val_loss < best_loss:           →    if self.trainer.strategy.broadcast(self.val_loss < self.best_loss):
    scheduler.step(val_loss)           →    self.lr_schedulers().step(self.trainer.strategy.broadcast(self.val_loss))
    group["lr"] = rate(train_loss)     →    group["lr"] = self.trainer.strategy.broadcast(rate(self.train_loss))

A process that stops, or schedules, by itself leaves the others waiting for its gradients, or trains another model than they do.
Numbers that come of all data in every process are the same in all, and stay.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ..program import Mechanism
from ..recover.items import Item, parts
from ..recover.names import target_names
from ..recover.nest import Frame
from ..recover.roles import Key, Role
from ..recover.syntax import walk, walk_scope
from ..recover.variables import Variable
from .draft import (
    BATCH_END,
    BATCH_START,
    BEFORE_STEP,
    EPOCH_END,
    EPOCH_START,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
)
from .steps import controls
from .written_once import only_shows

_BATCH = (BATCH_START, TRAINING_STEP, BEFORE_STEP, BATCH_END)
_ORDER = (EPOCH_START, *_BATCH, VALIDATION_START, VALIDATION_STEP, VALIDATION_END, EPOCH_END)
_SETTINGS = ("lr", "momentum", "weight_decay", "betas", "eps", "alpha", "dampening")
_SAME = (Role.MODEL, Role.OPTIMIZER, Role.SCHEDULER, Role.LOADER, Role.CRITERION, Role.DEVICE, Role.CONFIG)
"""What is the same in every process as long as all decisions are."""


def common_decisions(draft: Draft, whole: bool) -> dict[ast.stmt, tuple[int, ...]]:
    """The statements whose decision the first process takes. ``whole``: every process validates on all data, in one order.

    Numbers are the places of those arguments of a call that are the first one's, where a function of the script sets rates.
    """
    return _Decisions(draft, whole).found


class _Decisions:
    """Follows what may differ from process to process through an epoch, again and again until nothing more does."""

    def __init__(self, draft: Draft, whole: bool) -> None:
        self.draft = draft
        self.whole = whole
        self.found: dict[ast.stmt, tuple[int, ...]] = {}
        self.batchwise = draft.mechanism is not Mechanism.EPOCHS
        own: set[Variable] = set()
        while True:
            after = own | self._epoch(set(own))
            if after == own:
                break
            own = after

    def _epoch(self, own: set[Variable]) -> set[Variable]:
        for hook in _ORDER:
            if hook == VALIDATION_STEP and self.whole:
                own -= self._validated()
            for item in self.draft.hooks.get(hook, []):
                own = self._item(item, hook, own)
        return own

    def _validated(self) -> set[Variable]:
        """What the validation loop binds: the same batches in every process."""
        found = self.draft.validation
        if found is None or not isinstance(found.loop.node, ast.For):
            return set()
        names = target_names(found.loop.node.target)
        return {v for name in names if (v := self.draft.variables.of(found.frame, name)) is not None}

    def _item(self, item: Item, hook: str, own: set[Variable]) -> set[Variable]:
        if item.kind == "statement":
            return self._statement(item.node, item.frame, hook, own)
        if item.kind == "stop":
            if self._differs(item, hook, own):
                self.found[item.node] = ()
            return own
        return self._after(item, hook, own)

    def _statement(self, node: ast.stmt, frame: Frame, hook: str, own: set[Variable]) -> set[Variable]:
        if node in self.draft.removals:
            return own
        if isinstance(node, ast.If):
            branches = [own]
            for block in (node.body, node.orelse):
                inner = set(own)
                for statement in block:
                    inner = self._statement(statement, frame, hook, inner)
                branches.append(inner)
            if self._matters(node, hook) and self._expression_differs(node.test, frame, hook, own):
                self.found[node] = ()
            return branches[1] | branches[2]
        if isinstance(node, ast.With):
            inner = set(own)
            for statement in node.body:
                inner = self._statement(statement, frame, hook, inner)
            return inner | self._after(Item(node, frame), hook, own)
        if isinstance(node, ast.For) and self._over_groups(node, frame):
            inner, before = set(own), None
            while inner != before:
                before = set(inner)
                for statement in node.body:
                    inner |= self._statement(statement, frame, hook, inner)
            return inner | self._after(Item(node, frame), hook, own)
        given = self._scheduled(node, frame) or _set_in_group(node)
        if given is not None and self._expression_differs(given, frame, hook, own):
            self.found[node] = ()
        if handed := self._handed(node, frame, hook, own):
            self.found[node] = handed
        return self._after(Item(node, frame), hook, own)

    def _after(self, item: Item, hook: str, own: set[Variable]) -> set[Variable]:
        """What may differ when an item has run."""
        use = self.draft.variables.use(item)
        if not self._differs(item, hook, own):
            return own - use.definite
        return own | {v for v in (*use.written, *self._mutated(item)) if not self._is_same(v)}

    def _differs(self, item: Item, hook: str, own: set[Variable]) -> bool:
        if hook in _BATCH and self.batchwise:
            return not _counts(item) and not self._is_counted(item, hook, own)
        use, effects = self.draft.variables.use(item), self.draft.effects_of(item)
        if use.read & own or effects.clock:
            return True
        if hook == VALIDATION_STEP:
            return not self.whole
        return effects.model or effects.rng

    def _expression_differs(self, node: ast.expr, frame: Frame, hook: str, own: set[Variable]) -> bool:
        names = [n for n in walk_scope(node) if isinstance(n, ast.Name)]
        if any(self.draft.variables.of(frame, n.id) in own for n in names):
            return True
        effects = self.draft.effects.of(node, frame.scope)
        if effects.model or effects.rng or effects.clock:
            return True
        return hook in _BATCH and self.batchwise and any(self._is_of_batch(n, frame) for n in names)

    def _is_of_batch(self, node: ast.Name, frame: Frame) -> bool:
        loop = self.draft.nest.batches
        if loop is None or not isinstance(loop.node, ast.For):
            return False
        variable = self.draft.variables.of(frame, node.id)
        bound = [n for n in target_names(loop.node.target) if n != loop.index]
        return variable is not None and any(
            self.draft.variables.of(self.draft.nest.inner, name) is variable for name in bound
        )

    def _is_counted(self, item: Item, hook: str, own: set[Variable]) -> bool:
        """Whether a name gets a number that is made of counters and lengths alone: ``step = epoch * len(loader) + i``."""
        match item.node:
            case ast.Assign(targets=[ast.Name()], value=value) if item.kind == "statement":
                calls = (n for n in walk(value) if isinstance(n, ast.Call))
                lengths = all(isinstance(c.func, ast.Name) and c.func.id == "len" for c in calls)
                return lengths and not self._expression_differs(value, item.frame, hook, own)
        return False

    def _handed(self, node: ast.stmt, frame: Frame, hook: str, own: set[Variable]) -> tuple[int, ...]:
        """Which arguments of a call are each process's own, where a function of the script sets an optimizer's rates by them."""
        match node:
            case ast.Expr(value=ast.Call() as call) | ast.Assign(value=ast.Call() as call):
                arguments = [*call.args, *(k.value for k in call.keywords)]
                if not self._sets_rates(call) or any(isinstance(a, ast.Starred) for a in arguments):
                    return ()
                places = enumerate(arguments)
                return tuple(n for n, value in places if self._expression_differs(value, frame, hook, own))
        return ()

    def _sets_rates(self, call: ast.Call, depth: int = 3) -> bool:
        """Whether a call runs a function of the script that sets a setting of an optimizer's group."""
        function = self.draft.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        if function is None or depth == 0:
            return False
        inner = list(walk(function))
        if any(isinstance(n, ast.stmt) and _set_in_group(n) is not None for n in inner):
            return True
        return any(self._sets_rates(n, depth - 1) for n in inner if isinstance(n, ast.Call))

    def _mutated(self, item: Item) -> Iterable[Variable]:
        keys: frozenset[Key] = self.draft.effects_of(item).mutates
        for _part, frame in parts(item):
            for scope, name in keys:
                variable = self.draft.variables.of(frame, name)
                if variable is not None and self.draft.roles.key(frame.scope, name) == (scope, name):
                    yield variable

    def _is_same(self, variable: Variable) -> bool:
        return self.draft.roles.role(variable.scope, variable.name) in _SAME

    def _scheduled(self, node: ast.stmt, frame: Frame) -> ast.expr | None:
        """The number that a schedule is given which waits for a plateau."""
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=scheduler, attr="step"), args=[given], keywords=[])):
                if self.draft.role(scheduler, frame) is Role.SCHEDULER:
                    return given
        return None

    def _over_groups(self, node: ast.For, frame: Frame) -> bool:
        """Whether a loop runs over the groups of an optimizer: as often in every process."""
        match node.iter:
            case ast.Attribute(value=optimizer, attr="param_groups") if not node.orelse:
                return self.draft.role(optimizer, frame) is Role.OPTIMIZER
            case ast.Call(func=ast.Name(id="enumerate"), args=[ast.Attribute(value=optimizer, attr="param_groups")]):
                return self.draft.role(optimizer, frame) is Role.OPTIMIZER
        return False

    def _matters(self, node: ast.If, hook: str) -> bool:
        """Whether what a condition decides is more than what the first process shows or writes."""
        if hook in _BATCH and self.batchwise:
            calls = [n.func.attr for n in walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
            if any(inner in self.found for inner in walk(node) if inner is not node):
                return True  # what the first one says there, all have to ask for
            sets = any(isinstance(n, ast.stmt) and _set_in_group(n) is not None for n in walk(node))
            sets |= any(self._sets_rates(n) for n in walk(node) if isinstance(n, ast.Call))
            return sets or bool(controls(node)) or any(name in ("step", "backward", "zero_grad") for name in calls)
        return not all(only_shows(self.draft, s) for s in (*node.body, *node.orelse))


def _set_in_group(node: ast.stmt) -> ast.expr | None:
    """What a statement makes a setting of an optimizer's group: ``group["lr"] = value``."""
    match node:
        case (
            ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value=key))], value=value)
            | ast.AugAssign(target=ast.Subscript(slice=ast.Constant(value=key)), value=value)
        ) if key in _SETTINGS:
            return value
    return None


def _counts(item: Item) -> bool:
    """Whether a statement of a batch gives every process the same, as a counter of batches does."""
    match item.node:
        case ast.Assign(value=ast.Constant()) | ast.AugAssign(value=ast.Constant()):
            return item.kind == "statement"
    return item.kind == "bind" and isinstance(item.value, ast.Constant)
