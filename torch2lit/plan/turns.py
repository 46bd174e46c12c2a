"""A `while` loop is an endless loop whose condition is looked at after every turn.

while step < args.steps:        if step < args.steps:
    ...                             trainer.fit(module, itertools.count())
    step += 1           →
                                def on_train_batch_end(self, outputs, batch, batch_idx):
                                    if not self.step < self.hparams.steps:
                                        self.trainer.should_stop = True
"""

from __future__ import annotations

import ast

from ..program import Mechanism
from ..recover.items import Item
from ..recover.loops import Iterable
from ..recover.syntax import walk
from .draft import BATCH_END, EPOCH_END, Draft
from .steps import controls


def while_condition(draft: Draft) -> ast.expr | None:
    """The condition of the `while` loop that the Trainer takes over; None for another loop, or one that only a `break` ends."""
    epochs = draft.nest.epochs
    if epochs is None or not isinstance(epochs.node, ast.While):
        return None
    test = epochs.node.test
    return None if isinstance(test, ast.Constant) and test.value else test


def place_stop(draft: Draft) -> None:
    """Look at the condition where the raw loop does: after a whole turn, before the next one."""
    epochs = draft.nest.epochs
    if epochs is None or epochs.kind is not Iterable.TURNS:
        return
    per_batch = draft.nest.batches is None or draft.mechanism is Mechanism.EPOCHS
    if draft.nest.batches is None and "itertools" not in draft.imports:
        draft.imports.append("itertools")
    test = while_condition(draft)
    if test is None:
        return
    hook = BATCH_END if per_batch else EPOCH_END
    if hook == EPOCH_END:
        for item in draft.hooks.get(hook, []):
            for control in controls(item.node) if item.kind == "statement" else []:
                if isinstance(control, ast.Continue):
                    raise draft.refuse("while-loop", control, "`continue` skips to the condition of the `while` loop")
    effects = draft.effects.of(test, draft.nest.entry.scope)
    binds = any(isinstance(n, ast.NamedExpr | ast.Await | ast.Yield) for n in walk(test))
    if effects.rng or effects.model or effects.mutates or binds:
        raise draft.refuse("while-loop", test, "the condition of the `while` loop does more than to look")
    draft.hooks.setdefault(hook, []).append(Item(epochs.node, draft.nest.entry, "stop", value=test))
