"""A model that is copied or saved as a whole behind a validation, in the mode in which that leaves it: while Lightning still has it so.

model.eval()                                      def on_validation_epoch_end(self):
for batch in val_loader: ...                          if self.loss < self.best:
if loss < best:                             →             self.best_model = copy.deepcopy(self.model)
    best_model = copy.deepcopy(model)
"""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.phases import Validation
from ..recover.syntax import walk
from .draft import Draft
from .held_models import held_models
from .mode_in_loop import items_path
from .modes import mode_calls
from .recorded import goes_on_with
from .steps import controls

_KEEP = ("copy.deepcopy", "torch.save")
_STATES = ("state_dict",)


def keep_where_mode_shows(
    draft: Draft, found: Validation, trailing: list[Item], rest: list[Item]
) -> tuple[list[Item], list[Item]]:
    """What runs at the validation's end and at the epoch's, given the same without regard to modes.

    Statements of the epoch up to the last that sees the mode belong to the validation, if they do no more than to keep models and tell.
    """
    if found.every is not None or draft.options.several_processes or draft.group is not None:
        return trailing, rest
    calls = [c for i in [*found.leading, *found.before, *found.body, *trailing] for c in mode_calls(draft, i)]
    if any(mode != "eval" for _, mode in calls):
        return trailing, rest  # it does not end in eval mode
    models = held_models(draft) & {model for model, _ in calls}
    seen = [n for n, item in enumerate(rest) if any(items_path(draft, [item], m).shows for m in models)]
    moved = rest[: seen[-1] + 1] if seen else []
    if not all(_only_keeps(draft, item) for item in moved) or goes_on_with(draft, found, moved):
        return trailing, rest
    return [*trailing, *moved], rest[len(moved) :]


def _only_keeps(draft: Draft, item: Item) -> bool:
    """Whether an item runs no model and looks at no gradients, so that nobody sees that none are recorded there."""
    effects = draft.effects_of(item)
    if effects.gradients or effects.optimizer or effects.rng or effects.mode or effects.clock:
        return False
    if item.kind == "statement" and controls(item.node):
        return False
    models = held_models(draft)
    for part, frame in parts(item):
        for node in walk(part):
            if isinstance(node, ast.Name) and draft.variables.of(frame, node.id) in models:
                if not _is_kept(draft, node):
                    return False
    return True


def _is_kept(draft: Draft, node: ast.Name) -> bool:
    """Whether a model's name stands where the model is copied, saved, or asked for its state."""
    match draft.source.parents.get(node):
        case ast.Call(func=function, args=[first, *_]) if first is node:
            return draft.roles.full_name(function) in _KEEP
        case ast.Attribute(attr=name) as asked if name in _STATES:
            parent = draft.source.parents.get(asked)
            return isinstance(parent, ast.Call) and parent.func is asked and not parent.args
    return False
