"""Whether gradients of one batch may take part in a later one: nobody clears them before they are stepped by or looked at.

zero_grad(); backward(); step()                            each batch begins without any
d.zero_grad(); d_loss.backward(); d.step()                 each optimizer clears its own before it steps, whatever the other
g.zero_grad(); g_loss.backward(); g.step()                 pass has left in them
if len(batch) > 1: zero_grad(); backward(); step()         the batches that step clear
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..recover.clearing import clearing_frame, clearings
from ..recover.items import Item, parts
from ..recover.optimizer_holders import clears_what_it_steps
from ..recover.phases import Validation, has_backward
from ..recover.role import Role
from ..recover.stepping import is_held, stepped_optimizer
from ..recover.syntax import walk, walk_scope
from ..recover.variables import Variable
from ..recover.whole_steps import cleared_first
from .cleared_modules import cleared_wholes, whole_name
from .draft import Draft
from .held_parameters import holds_every
from .steps import clears_to_none, controls, joining_parameters, optimizer_names
from .touched_gradients import may_step, takes_step
from .zeroing import only_zeroes, zero_grad_call, zeroed

Cleared = frozenset[str]
"""The optimizers whose gradients are cleared by now, as they are written at their steps, and the networks that are cleared as wholes."""


def gradients_may_survive(draft: Draft) -> bool:
    """Whether gradients from before the loop may live on in it, so that nothing else must clear them."""
    if next(joining_parameters(draft), None) is not None:
        return True
    batch = _Batch(draft)
    return batch.may_begin_with_gradients() and not batch.epochs_begin_cleared()


def gradients_are_carried(draft: Draft, found: Validation) -> bool:
    """Whether gradients may live behind a validation: not where each batch ends by clearing them, or each epoch that follows begins so."""
    if next(joining_parameters(draft), None) is not None:
        return True
    batch = _Batch(draft)
    if not batch.may_begin_with_gradients() or batch.ends_cleared():
        return False
    stepped = any(_may_step(draft, item) for item in draft.epoch.after)
    return found.in_batch or stepped or not batch.epochs_begin_cleared()


def _may_step(draft: Draft, item: Item) -> bool:
    return draft.effects_of(item).optimizer and any(may_step(draft, part) for part, _frame in parts(item))


def only_clears(draft: Draft, item: Item) -> bool:
    """Whether an item takes gradients away and does nothing else with them."""
    call = zero_grad_call(item)
    return call is not None and clears_to_none(call) and only_zeroes(draft, item)


@dataclass
class _Batch:
    """One walk through a batch in the order of its statements."""

    draft: Draft
    optimizers: dict[str, ast.expr] = field(init=False)
    wholes: Cleared = field(init=False)
    """The networks with which all gradients are cleared."""
    holders: dict[str, ast.expr] = field(init=False)
    """Of the optimizers, the objects that step one in a method of their own."""
    cleared_first: Cleared | None = None
    """What was cleared when the first backward pass began."""
    steps: set[ast.AST] = field(default_factory=set)
    """The steps that were come by."""

    def __post_init__(self) -> None:
        self.optimizers = {ast.unparse(name): name for name in optimizer_names(self.draft)}
        self.wholes = cleared_wholes(self.draft)
        frame = self.draft.nest.step_frame
        steppers = (clears_what_it_steps(self.draft.roles, step, frame.scope) for step in self.draft.nest.steps)
        self.holders = {ast.unparse(name): name for name in steppers if name is not None}
        self.optimizers |= self.holders

    def may_begin_with_gradients(self) -> bool:
        """Whether a step or a look may find gradients that were there when the batch began."""
        cleared: Cleared = frozenset()
        for item in self.draft.epoch.batch:
            after = self._statement(item.node, item, cleared) if item.kind == "statement" else self._code(item, cleared)
            if after is None:
                return True
            cleared = after
        if not self.optimizers or not self.steps >= set(self.draft.nest.steps):
            first = self.cleared_first or frozenset()
            return not self._all(first) and len(first & self.optimizers.keys()) < max(1, len(self.optimizers))
        return False

    def ends_cleared(self) -> bool:
        """Whether every batch that computes gradients clears those of all optimizers behind that, whichever way it goes."""
        items = self.draft.epoch.batch
        computing = [n for n, item in enumerate(items) if self._computes(item)]
        if not computing or not self.optimizers:
            return False
        if any(item.kind != "statement" or controls(item.node) for item in items[computing[0] :]):
            return False
        cleared: set[str] = set()
        for item in items[computing[-1] + 1 :]:
            call = zero_grad_call(item) if item.guard is None else None
            if call is not None and clears_to_none(call) and isinstance(call.func, ast.Attribute):
                cleared |= self._cleared_by(call.func.value, item)
        return self._all(frozenset(cleared))

    def epochs_begin_cleared(self) -> bool:
        """Whether each epoch clears the gradients of all optimizers before it does anything else with any."""
        cleared: set[str] = set()
        for item in self.draft.epoch.before if self.draft.nest.batches is not None else []:
            if only_clears(self.draft, item) and item.guard is None:
                receiver = zeroed(item)
                assert receiver is not None
                cleared |= self._cleared_by(receiver, item)
            elif self.draft.effects_of(item).gradients or _may_step(self.draft, item):
                break
        return self._all(frozenset(cleared)) and not takes_step(self.draft)

    def _computes(self, item: Item) -> bool:
        """Whether a part of the batch may give gradients: it runs backward, or calls what may."""
        if item.kind == "statement" and zero_grad_call(item) is not None:
            return False
        backward = has_backward(item.node) or any(n in self.draft.nest.backwards for n in walk(item.node))
        return backward or self.draft.effects_of(item).gradients

    def _statement(self, node: ast.AST, item: Item, cleared: Cleared) -> Cleared | None:
        """What is cleared behind a statement; None when gradients from before are used in it."""
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                if self._looks(test, item, cleared):
                    return None
                there, absent = self._block(body, item, cleared), self._block(orelse, item, cleared | self._none(test))
                return None if there is None or absent is None else there & absent
            case ast.For(body=body, orelse=orelse) | ast.While(body=body, orelse=orelse):
                head = node.iter if isinstance(node, ast.For) else node.test
                if self._looks(head, item, cleared) or self._block(body, item, cleared) is None:
                    return None
                return self._block(orelse, item, cleared)
            case ast.With(items=entered, body=body):
                if any(self._looks(i.context_expr, item, cleared) for i in entered):
                    return None
                return self._block(body, item, cleared)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return cleared
            case ast.Expr() if (call := zero_grad_call(Item(node, item.frame))) is not None:
                return self._zeroed(call, item, cleared)
            case ast.Expr() if (frame := clearing_frame(self.draft.source, Item(node, item.frame))) is not None:
                return self._block(clearings(frame), Item(node, frame), cleared)
            case ast.Expr() | ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                return self._simple(node, item, cleared)
        return None if self._uses(node, item) and not self._all(cleared) else cleared

    def _block(self, body: list[ast.stmt], item: Item, cleared: Cleared) -> Cleared | None:
        for statement in body:
            after = self._statement(statement, item, cleared)
            if after is None:
                return None
            cleared = after
        return cleared

    def _code(self, item: Item, cleared: Cleared) -> Cleared | None:
        return None if self.draft.effects_of(item).gradients and not self._all(cleared) else cleared

    def _zeroed(self, call: ast.Call, item: Item, cleared: Cleared) -> Cleared | None:
        assert isinstance(call.func, ast.Attribute)
        if not clears_to_none(call):
            return None  # a parameter that gets no gradient any more is stepped with its zeros
        return cleared | self._cleared_by(call.func.value, item)

    def _cleared_by(self, receiver: ast.expr, item: Item) -> Cleared:
        """What an item clears: optimizers, or a network as a whole."""
        found = {text for text, name in self.optimizers.items() if self._clears(receiver, item, name)}
        variable = self._variable(receiver, item)
        if variable is not None and self.draft.role(receiver, item.frame) is Role.MODEL:
            found.add(whole_name(variable))
        return frozenset(found)

    def _clears(self, receiver: ast.expr, item: Item, optimizer: ast.expr) -> bool:
        """Whether what is zeroed is an optimizer, or a module of which it holds all parameters."""
        role = self.draft.role(receiver, item.frame)
        if role is Role.MODEL:
            return holds_every(self.draft, receiver, item, optimizer)
        held = ast.unparse(optimizer) in self.holders
        if role is not Role.OPTIMIZER and not held and self.draft.roles.is_bare_object(receiver, item.frame.scope):
            return False  # an object of the script's own with a method of this name
        own, other = self._variable(receiver, item), self.draft.variable(optimizer, self.draft.nest.step_frame)
        if own is not None and other is not None:
            return own == other
        return ast.unparse(receiver) == ast.unparse(optimizer)

    def _variable(self, receiver: ast.expr, item: Item) -> Variable | None:
        return self.draft.variable(receiver, item.frame)

    def _simple(self, node: ast.stmt, item: Item, cleared: Cleared) -> Cleared | None:
        own = [n for n in walk_scope(node) if n in self.draft.nest.steps]
        held = [c for c in own if isinstance(c, ast.Call) and is_held(c)]
        self.steps.update(set(own) - set(held))
        backward = has_backward(node) or any(n in self.draft.nest.backwards for n in walk(node)) or bool(held)
        if backward and self.cleared_first is None:
            self.cleared_first = cleared | self._cleared_inside(held)
        for call in own:
            assert isinstance(call, ast.Call)
            if call in held:
                continue
            closed = self._closures(call, item, cleared)
            stepped = ast.unparse(stepped_optimizer(self.draft.roles, call, self.draft.nest.step_frame.scope))
            if closed is None or not (stepped in closed or self._all(closed)):
                return None
            cleared = closed
        if own or (backward and isinstance(node, ast.Expr)):
            return cleared
        return None if self._uses(node, item) and not self._all(cleared) else cleared

    def _cleared_inside(self, held: list[ast.Call]) -> Cleared:
        """What functions clear first of all that the batch calls for its step."""
        first = (ast.unparse(name) for call in held for name in cleared_first(self.draft.roles, call))
        return frozenset(first) & self.optimizers.keys()

    def _closures(self, call: ast.Call, item: Item, cleared: Cleared) -> Cleared | None:
        """What is cleared when a step has run the closure that it is handed, as it does first of all."""
        for argument in [*call.args, *(k.value for k in call.keywords)]:
            if isinstance(argument, ast.Name) and (function := self.draft.source.function(argument.id)) is not None:
                after = self._block(function.body, item, cleared)
                if after is None:
                    return None
                cleared = after
        return cleared

    def _none(self, test: ast.expr) -> Cleared:
        """The optimizers that are None where a test fails: there is nothing to clear."""
        match test:
            case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
                asked = ast.unparse(left)
            case ast.Name():
                asked = ast.unparse(test)
            case _:
                return frozenset()
        return frozenset({asked} & set(self.optimizers))

    def _all(self, cleared: Cleared) -> bool:
        by_networks = bool(self.wholes) and cleared >= self.wholes
        return bool(self.optimizers) and (cleared >= set(self.optimizers) or by_networks)

    def _looks(self, node: ast.expr, item: Item, cleared: Cleared) -> bool:
        return self._uses(node, item) and not self._all(cleared)

    def _uses(self, node: ast.AST, item: Item) -> bool:
        """Whether code does anything with gradients."""
        own = {*self.draft.nest.steps, *self.draft.nest.backwards}
        return self.draft.effects.of(node, item.frame.scope).gradients or any(n in own for n in walk(node))
