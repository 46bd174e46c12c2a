"""An ``AveragedModel`` that follows every step and is all that the script evaluates, when Lightning's callback keeps the same average.

ema_model = AveragedModel(model, avg_fn=get_ema_avg_fn(0.99))
...
    optimizer.step()
    ema_model.update_parameters(model)                            →   Trainer(callbacks=[EMAWeightAveraging(decay=0.99, use_buffers=False)])
...
evaluate(ema_model, val_loader)                                   →   validation_step, while the callback has the average in the module

The callback averages after every optimizer step and puts the average in the module's place for the validation alone, and for good when the training is over. So the
model itself must be in nothing but the training, and the average in nothing but evaluations and what comes behind the loop.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.nest import Nest
from ..recover.raised import takers_around
from ..recover.roles import Key, Roles
from ..recover.syntax import walk
from ..schedules.counts import own_controls
from ..schedules.settled import Settled
from .uses import Stays, Uses, is_named, within

_EMA = "torch.optim.swa_utils.get_ema_avg_fn"


@dataclass(frozen=True, slots=True)
class Average:
    """``made`` makes the average of ``model``, ``update`` feeds it; ``uses`` are its other mentions, ``callback`` is the call that makes Lightning's."""

    made: ast.Assign
    model: str
    update: ast.stmt
    uses: tuple[ast.Name, ...]
    callback: str
    dropped: tuple[ast.stmt, ...] = ()
    """What else goes: statements in front of the loop about a copy that the script averages into."""


class Search(Uses):
    """Every condition for one average that an object of torch's keeps."""

    def __init__(self, nest: Nest, roles: Roles, made: ast.Assign) -> None:
        self.nest, self.roles, self.source, self.made = nest, roles, roles.source, made
        self.entry = nest.entry.scope

    def found(self) -> Average:
        """Every condition, one after the other. Raises Stays."""
        model, callback = self._made()
        update, place = self._update()
        if takers_around(self.source, self.nest.outermost):
            raise Stays(
                self.made,
                "an exception may end the training, which is taken around it: the model gets the average only where the training ends by itself",
            )
        average = self._key(self.made.targets[0])
        dropped = self._dropped()
        gone = [update, *dropped]
        named = [n for n in self.roles.mentions(average) if n is not self.made.targets[0]]
        uses = tuple(n for n in named if not any(within(n, s) for s in gone))
        for use in uses:
            self.check_use(use, place)
        if not any(within(use, self.nest.outermost) for use in uses):
            raise Stays(self.made, "nothing in the loop evaluates it")
        self.check_modes(uses, place)
        self.check_model(self._key(model), model.id, update, place)
        return Average(self.made, model.id, update, uses, callback, dropped)

    # ---- the average

    def _made(self) -> tuple[ast.Name, str]:
        call = self.made.value
        assert isinstance(call, ast.Call)
        match self.made.targets, call.args:
            case [ast.Name()], [ast.Name() as model]:
                pass
            case _:
                raise Stays(self.made, "it is made of something else than a model alone")
        self._check_place()
        told = {k.arg or "": k.value for k in call.keywords}
        buffers = told.pop("use_buffers", ast.Constant(False))
        known = isinstance(buffers, ast.Constant) and isinstance(buffers.value, bool)
        if set(told) - {"avg_fn", "multi_avg_fn"} or len(told) > 1 or not known:
            raise Stays(self.made, "the callback is not told all that it is made with")
        self._check_settled(told)
        return model, self._callback(told, f"use_buffers={ast.unparse(buffers)}")

    def _check_place(self) -> None:
        if self.source.scope_of(self.made) is not self.entry or self.nest.epochs is None:
            raise Stays(self.made, "it is not made where the loop is")
        block, outermost = self.source.block_of(self.made), self.nest.outermost
        around = [outermost, *self.source.ancestors(outermost)]
        if not any(s in around for s in block[block.index(self.made) + 1 :]):
            raise Stays(self.made, "it may not be made at all")

    def _check_settled(self, told: dict[str, ast.expr]) -> None:
        settled = Settled(self.roles, self.nest, self.made)
        for value in told.values():
            own = {a.arg for n in walk(value) if isinstance(n, ast.Lambda) for a in n.args.args}
            for node in walk(value):
                if isinstance(node, ast.Name) and node.id not in own:
                    whole = self._whole(node)
                    if not settled.value(whole, self.entry) and not settled.function(node, self.entry):
                        raise Stays(value, f"`{self.source.segment(whole)}` may change")

    def _whole(self, name: ast.Name) -> ast.expr:
        """The chain of attributes that begins with a name."""
        node: ast.expr = name
        while isinstance(above := self.source.parents[node], ast.Attribute | ast.Subscript):
            node = above
        return node

    def _callback(self, told: dict[str, ast.expr], buffers: str) -> str:
        match told.get("avg_fn"):
            case ast.Call(func=function, args=arguments, keywords=keywords) if self.roles.full_name(function) == _EMA:
                given = [*arguments, *(k.value for k in keywords)]
                if len(given) > 1:
                    raise Stays(self.made, "the callback is not told all that it is made with")
                decay = [f"decay={self.source.segment(value)}" for value in given]
                return f"EMAWeightAveraging({', '.join([*decay, buffers])})"
        rule = [f"{name}={self.source.segment(value)}" for name, value in told.items()]
        return f"WeightAveraging({', '.join([*rule, buffers])})"

    def _update(self) -> tuple[ast.stmt, ast.stmt]:
        """The statement that feeds it, once behind every step, and the statement of the epoch that holds the batches."""
        nest = self.nest
        target = self.made.targets[0]
        assert isinstance(target, ast.Name)
        updates = [
            c for c in self.source.calls if isinstance(c.func, ast.Attribute) and c.func.attr == "update_parameters"
        ]
        if len(updates) != 1 or nest.batches is None or nest.step_frame.scope is not self.entry or len(nest.steps) != 1:
            raise Stays(self.made, "it is not fed once in the loop over the batches")
        update = self.source.statement_of(updates[0])
        fed = isinstance(updates[0].func, ast.Attribute) and is_named(updates[0].func.value, target.id)
        model = self.made.value.args[0]  # type: ignore[attr-defined]
        if not fed or [ast.dump(a) for a in updates[0].args] != [ast.dump(model)]:
            raise Stays(update, "it is not fed in every batch")
        return self._check_update(update)

    def _check_update(self, update: ast.stmt) -> tuple[ast.stmt, ast.stmt]:
        """Once in every batch, behind the step."""
        nest = self.nest
        assert nest.batches is not None
        body, step = nest.batches.node.body, self.source.statement_of(nest.steps[0])
        if update not in body or step not in body:
            raise Stays(update, "it is not fed in every batch")
        if body.index(update) < body.index(step) or not isinstance(update, ast.Expr):
            raise Stays(update, "it is fed before the step")
        if any(True for _ in own_controls(body, ast.Continue, ast.Break, ast.Return)):
            raise Stays(update, "a batch may leave it out")
        epoch = self.nest.epochs.node.body if self.nest.epochs is not None else []
        if nest.batches.node not in epoch:
            raise Stays(update, "an epoch may leave it out")
        return update, nest.batches.node

    def _dropped(self) -> tuple[ast.stmt, ...]:
        """What else in front of the loop is about the average alone."""
        return ()

    # ---- names

    def _key(self, name: ast.expr) -> Key:
        key = self.roles.key(self.entry, name.id) if isinstance(name, ast.Name) else None
        if key is None or key[0] is not self.entry or self.roles.rebound_unseen(key):
            raise Stays(self.made, "it may be another one later")
        return key
