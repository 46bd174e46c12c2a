"""Random numbers that are drawn between the last batch and an evaluation: before Lightning starts the evaluation's loader.

total = train(...) / len(list(loader))           def on_train_batch_end(self, outputs, batch, batch_idx):
evaluate(model, val_loader)              →           if self.trainer.is_last_batch:
                                                         total = ...

A switch to eval mode that stands before stays with the evaluation where nothing that goes looks at the mode.
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.loops import is_bar_call
from ..recover.phases import Validation
from .draft import Draft
from .mode_in_loop import items_path
from .modes import mode_calls, only_mode_call
from .steps import controls
from .train_data import is_still_loader
from .validation_epochs import runs_last_batch


def drawing_before(draft: Draft, found: Validation) -> list[Item]:
    """What stands before the evaluation up to where random numbers are drawn last: that runs behind the last batch, where it may,
    as Lightning starts the loader before it asks the validation's hooks.
    """
    if found.in_batch or not runs_last_batch(draft) or is_still_loader(draft, found.loop.base, found.frame):
        return []
    before = found.leading if found.every is not None else [*found.leading, *found.before]
    bars = [i for i, item in enumerate(before) if is_its_bar(found, item)]
    drawing = [i for i, item in enumerate(before) if draft.effects_of(item).rng and i not in bars]
    if drawing and bars and bars[0] < drawing[-1]:
        return []  # the bar may have started the loader by then
    early = before[: drawing[-1] + 1] if drawing else []
    switches = [i for i in early if mode_calls(draft, i)]
    if not switches:
        return early
    first = early.index(switches[0])
    if _pass_switches(draft, early[first:], switches):
        return [i for i in early if i not in switches]
    if any(item in found.leading for item in switches):
        return []  # the validation would not know its mode
    return [i for i in early if i in found.leading]


def _pass_switches(draft: Draft, items: list[Item], switches: list[Item]) -> bool:
    """Whether items may run before the switches of modes that stand among them: none of them looks at a mode, or switches one."""
    moved = [i for i in items if i not in switches]
    if not all(map(only_mode_call, switches)) or any(draft.effects_of(i).mode for i in moved):
        return False
    models = [model for item in switches for model, _ in mode_calls(draft, item)]
    paths = [items_path(draft, moved, model) for model in models]
    return not any(path.shows or path.switches for path in paths)


def told_before(draft: Draft, found: Validation) -> list[Item]:
    """What stands between the last batch and the evaluation, where all of it may run behind that batch: it tells what it has found."""
    for item in found.leading:
        effects = draft.effects_of(item)
        acts = effects.model or effects.mode or effects.gradients or effects.optimizer or effects.rng
        if acts or (item.kind == "statement" and controls(item.node)):
            return []
    return [*found.leading] if runs_last_batch(draft) else []


def is_its_bar(found: Validation, item: Item) -> bool:
    """Whether an item makes the bar around the evaluation's loader, which it starts where it counts what it shows, or starts that itself."""
    if item.node is found.loop.started:
        return True
    match item.node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if item.kind == "statement":
            return name == found.loop.bar_name and item.frame is found.frame and is_bar_call(value)
    return False
