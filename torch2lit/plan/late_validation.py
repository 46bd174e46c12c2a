"""Validation loaders that start late: at their first batch, behind what stands before the evaluation, as a plain loop does.

scale = torch.rand(1)                            def on_validation_epoch_start(self):
for batch in val_loader: ...             →           self.scale = torch.rand(1)

                                                 fit(module, train_loader, LazyLoader(val_loader))

Lightning starts a loader before the validation's first hook, and tells its sampler the epoch, which some scripts do not. The bar of
``tqdm.auto`` starts its loader once more.
"""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.nest import Frame
from ..recover.phases import Validation
from ..recover.syntax import walk
from .draft import Draft
from .drawn_before import drawing_before, is_its_bar
from .recorded import goes_on_with
from .samplers import sampler_with_epoch
from .train_data import constructions, has_length, is_still_loader


def may_start_late(draft: Draft, found: Validation) -> bool:
    """Whether the Trainer may get loaders that start late for an evaluation, where something asks for that."""
    if draft.group is not None or draft.options.several_processes:
        return False
    data, twice = draft.train_data, {one.loop.asks_twice for one in found.all}
    if len(twice) > 1 or (data is not None and data.lazy and (len(data.texts) > 1 or {data.asks_twice} != twice)):
        return False  # one class is enough for all
    if any(one.loop.bar_name is not None for one in found.all) and _drawn(draft, found):
        return False  # the bar may have started the loader before
    return all(has_length(draft, one.loop.base, one.frame) for one in found.all)


def starts_late(draft: Draft, found: Validation) -> bool:
    """Whether something asks for that: a random number is drawn before, a sampler that the script does not tell, a bar that starts twice."""
    twice = any(one.loop.asks_twice for one in found.all)
    return twice or bool(_drawn(draft, found)) or has_untold_sampler(draft, found)


def has_untold_sampler(draft: Draft, found: Validation) -> bool:
    """Whether Lightning would tell a loader's sampler the epoch."""
    return any(sampler_with_epoch(constructions(draft, one.loop.base, one.frame)) is not None for one in found.all)


def drawn_late(draft: Draft, found: Validation, item: Item) -> bool:
    """Whether what draws before an evaluation may run in its first hook: it neither uses the model nor makes what is trained with.

    A tensor that is made in there is one of inference mode, which autograd does not take.
    """
    if draft.effects_of(item).model or goes_on_with(draft, found, [item]):
        return False
    nodes = [(n, frame) for part, frame in parts(item) for n in walk(part)]
    if any(isinstance(n, ast.Attribute | ast.Subscript) and not isinstance(n.ctx, ast.Load) for n, _ in nodes):
        return False
    return all(_keeps_nothing(draft, n, frame) for n, frame in nodes if isinstance(n, ast.Call))


def _keeps_nothing(draft: Draft, call: ast.Call, frame: Frame) -> bool:
    """Whether nothing of the script's holds what the call makes but the name that it is given: a library's function is called, or a builtin."""
    root: ast.AST = call.func
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name) or any(isinstance(n, ast.NamedExpr) for n in walk(call)):
        return False
    if draft.roles.key(frame.scope, root.id) is None:
        return root is call.func
    known = draft.roles.full_name(root)
    inside = draft.roles.neighbours is not None and draft.roles.neighbours.file(known.partition(".")[0]) is not None
    return root.id in draft.roles.origins and not inside


def _drawn(draft: Draft, found: Validation) -> list[Item]:
    """What draws random numbers in the validation's first hook."""
    if is_still_loader(draft, found.loop.base, found.frame):
        return []
    early = drawing_before(draft, found)
    before = [i for i in [*found.leading, *found.before] if i not in early and not is_its_bar(found, i)]
    if found.every is not None:
        before = [i for i in before if i not in found.leading]
    return [i for i in before if draft.effects_of(i).rng]
