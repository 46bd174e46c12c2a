"""A batch whose statements all keep their order in `training_step`, with Lightning's manual optimization."""

from __future__ import annotations

import ast

from .breaks import ends_training
from .draft import TRAINING_STEP, Draft
from .last_returns import leaves_only_loop
from .steps import Obstacle, open_controls


def place_manual(draft: Draft) -> Obstacle | None:
    """Everything in its order in ``training_step``; an obstacle when the loop is left from inside."""
    nest = draft.nest
    for item in draft.epoch.batch:
        if item.kind != "statement":
            continue
        for control in open_controls(draft, item.node):
            if isinstance(control, ast.Return) and not leaves_only_loop(draft, control):
                return Obstacle(control, f"`return` leaves the {'batch ' if nest.batches is not None else ''}loop")
            if isinstance(control, ast.Continue) or nest.batches is None or nest.epochs is None:
                continue
            if not ends_training(draft, item, control):
                return Obstacle(control, f"`{type(control).__name__.lower()}` leaves the batch loop")
    draft.hooks[TRAINING_STEP] = list(draft.epoch.batch)
    return None
