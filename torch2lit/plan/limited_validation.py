"""An evaluation that runs over the first batches of its loaders only, as the Trainer's ``limit_val_batches``.

count = min(count, len(loader))                  Trainer(limit_val_batches=count)
for i, batch in enumerate(loader):       →
    if i < count: ...                            def validation_step(self, batch, batch_idx): ...
    else: break
... total / count                                ... self.total / self.trainer.num_val_batches[0]

The script fetches one batch more, which it does not use: that may only be left out where fetching shows nowhere.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from ..recover.makings import Value, is_none, sources
from ..recover.nest import Frame
from ..recover.phases import Validation
from .draft import Draft
from .entry_names import at_entry
from .still_data import fetches_unseen
from .validation_epochs import LIMIT


def limit_obstacle(draft: Draft, found: Validation) -> str:
    """Why the Trainer cannot limit an evaluation as its function does; "" when it can, or when there is no limit."""
    if all(one.limit is None for one in found.all):
        return ""
    if any(one.limit is None or one.frame.call is not one.call for one in found.all):
        return "`break` leaves the loop"
    if draft.group is not None or draft.options.several_processes:
        return "several processes would each take their own first batches"
    assert found.limit is not None
    given = _given(found)
    if given is None or not at_entry(draft, given, _outside(found)):
        return "how many batches it runs over is not known where the Trainer is made"
    if not _are_counts(_values(draft, found, given)):
        return "how many batches it runs over may be no whole number above 0"
    if not all(fetches_unseen(draft, one.loop.base, one.frame) for one in found.all):
        return "`break` leaves the loop behind a batch that is fetched and not used, which may draw random numbers"
    if found.limit.count.empty is not None and not any(is_trained_on(draft, one) for one in found.all):
        return "its function returns early where its loader is empty"
    return ""


def tell_limit(draft: Draft, found: Validation) -> None:
    """Tell the Trainer how many batches the evaluation takes, and what Lightning does with a loader that has none."""
    given = _given(found)
    if given is None:
        return
    if not (isinstance(given, ast.Constant) and given.value is None):
        draft.trainer = draft.trainer.set(LIMIT, at_entry(draft, given, _outside(found)))
    for one in found.all:
        assert one.limit is not None
        if one.limit.count.empty is None:
            continue
        if is_trained_on(draft, one):  # a batch of it has been trained on just now
            found.trailing = [replace(i, unless=None) if i.callee is one.frame else i for i in found.trailing]
        else:
            draft.note(
                "empty-loader-started",
                one.limit.count.empty,
                f"`{ast.unparse(one.loop.base)}` is not started here if it is empty: Lightning starts it, which draws a random number",
            )


def limit_of(draft: Draft, found: Validation) -> tuple[ast.expr, Frame] | None:
    """Over how many batches the evaluation runs, and the frame that knows; None where that may be no number, and then it is all of them."""
    given = _given(found)
    if given is None or any(is_none(v) for v in _values(draft, found, given)):
        return None
    return given, _outside(found)


def is_trained_on(draft: Draft, one: Validation) -> bool:
    """Whether an evaluation runs over the training loader, which has a batch then."""
    batches = draft.nest.batches
    if batches is None:
        return False
    variable = draft.variable(one.loop.base, one.frame)
    return variable is not None and variable is draft.variable(batches.base, draft.nest.inner)


def _given(found: Validation) -> ast.expr | None:
    """What the call of the function gives for the number of batches."""
    return found.frame.arguments.get(found.limit.count.name) if found.limit is not None else None


def _values(draft: Draft, found: Validation, given: ast.expr) -> list[Value]:
    """All that it may be, as far as the project shows."""
    return sources(Value(given, _outside(found).scope, draft.roles))


def _outside(found: Validation) -> Frame:
    caller = found.frame.caller
    assert caller is not None
    return caller


def _are_counts(values: list[Value]) -> bool:
    """Whether all of the values are whole numbers above 0, or None, which is no limit."""
    numbers = [v.node.value if isinstance(v.node, ast.Constant) else "" for v in values]
    return bool(numbers) and all(n is None or (type(n) is int and n > 0) for n in numbers)
