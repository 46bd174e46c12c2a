"""Models that are in eval mode already when a validation begins, as a whole: Lightning finds them so and leaves them so.

backbone.eval()                           model.eval()
for epoch in range(n):                    if epoch % 2 == 0:
    train(backbone, head)                     for batch in val_loader: ...
    validate(backbone, head)
"""

from __future__ import annotations

from ..recover.items import Item
from ..recover.phases import Validation
from ..recover.variables import Variable
from .draft import Draft
from .making import on_the_way
from .modes import mode_calls, only_mode_call
from .same_model import leaves_its_model
from .statements_between import statements_between
from .train_mode_kept import is_handed_on, keeps_eval_mode


def in_eval_already(draft: Draft, found: Validation, model: Variable, inside: list[Item]) -> bool:
    """Whether a model surely is in eval mode when Lightning begins to validate, and when the validation has ended."""
    return _switched_behind_batches(draft, found, model, inside) or _switched_before_loop(draft, model)


def _switched_behind_batches(draft: Draft, found: Validation, model: Variable, inside: list[Item]) -> bool:
    """Whether what runs between the last batch and the validation switches the model."""
    switched = [n for n, i in enumerate(found.early) if _puts_in_eval(draft, i, model)]
    return bool(switched) and _stays(draft, [*found.early[switched[-1] :], *inside], model)


def _switched_before_loop(draft: Draft, model: Variable) -> bool:
    """Whether a statement on the way to the loop switches the model, and nothing from then on does."""
    entry = draft.nest.entry
    before = [Item(s, entry) for s in statements_between(draft, 0)]
    switched = [n for n, i in enumerate(before) if _puts_in_eval(draft, i, model) and _is_on_the_way(draft, i)]
    return bool(switched) and _stays(draft, [*before[switched[-1] :], *draft.all_items()], model)


def _puts_in_eval(draft: Draft, item: Item, model: Variable) -> bool:
    return mode_calls(draft, item) == [(model, "eval")] and only_mode_call(item)


def _is_on_the_way(draft: Draft, item: Item) -> bool:
    statement = draft.source.statement_of(item.node)
    return draft.source.scope_of(statement) is draft.nest.entry.scope and on_the_way(draft, statement)


def _stays(draft: Draft, items: list[Item], model: Variable) -> bool:
    """Whether nothing of some items may give the model another mode, or its name another model."""
    binding = [i for i in items if not leaves_its_model(draft, i, model.name)]
    if model in draft.variables.written_in_sight(binding):
        return False
    return keeps_eval_mode(draft, items, model) and not is_handed_on(draft, items)
