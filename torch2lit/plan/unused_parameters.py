"""Several backward passes per step over different networks: in each of them some parameters get no gradient.

    strategy="ddp"    →    strategy="ddp_find_unused_parameters_true"

DistributedDataParallel waits for the gradients of all parameters in every backward pass, unless it looks for those that have none.
Source: https://lightning.ai/docs/pytorch/stable/advanced/model_parallel.html#when-using-ddp-strategies-set-find-unused-parameters-false
"""

from __future__ import annotations

import ast

from ..recover.syntax import walk
from .draft import TRAINING_STEP, Draft
from .steps import optimizer_names

_WITHOUT = ("ddp", "ddp_spawn", "ddp_fork", "ddp_notebook")
_LOOKS = "_find_unused_parameters_true"


def strategy_of(draft: Draft) -> str | None:
    """The strategy that is asked for, which looks for unused parameters where a step leaves some."""
    options = draft.options
    strategy = options.strategy
    if not options.several_processes or draft.group is not None or not leaves_some_unused(draft):
        return strategy
    chosen = strategy
    if strategy in (None, "auto") and options.accelerator not in ("mps", "tpu"):
        count = options.devices or "1"
        chosen = (
            "ddp" if (count.isdigit() and count != "1") or "," in count.rstrip(",") or options.num_nodes else strategy
        )
    return f"{chosen}{_LOOKS}" if chosen in _WITHOUT else chosen


def leaves_some_unused(draft: Draft) -> bool:
    """Whether a backward pass of the step may leave parameters of the module without a gradient."""
    if draft.automatic:
        return False
    calls = [n for item in draft.hooks.get(TRAINING_STEP, []) for n in walk(item.node) if isinstance(n, ast.Call)]
    passes = sum(isinstance(c.func, ast.Attribute) and c.func.attr == "backward" for c in calls)
    return passes > 1 or len(optimizer_names(draft)) > 1
