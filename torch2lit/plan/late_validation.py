"""Validation loaders that start late: at their first batch, behind what stands before the evaluation, as a plain loop does.

scale = torch.rand(1)                            def on_validation_epoch_start(self):
for batch in val_loader: ...             →           self.scale = torch.rand(1)

                                                 fit(module, train_loader, LazyLoader(val_loader))

Lightning starts a loader before the validation's first hook, and tells its sampler the epoch, which some scripts do not. The bar of
``tqdm.auto`` starts its loader once more.
"""

from __future__ import annotations

from ..recover.items import Item
from ..recover.phases import Validation
from .draft import Draft
from .drawn_before import drawing_before, is_its_bar
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


def drawn_late(draft: Draft, item: Item) -> bool:
    """Whether what draws before an evaluation may run in its first hook, where no gradients are recorded: it does not use the model."""
    return not draft.effects_of(item).model


def _drawn(draft: Draft, found: Validation) -> list[Item]:
    """What draws random numbers in the validation's first hook."""
    if is_still_loader(draft, found.loop.base, found.frame):
        return []
    early = drawing_before(draft, found)
    before = [i for i in [*found.leading, *found.before] if i not in early and not is_its_bar(found, i)]
    if found.every is not None:
        before = [i for i in before if i not in found.leading]
    return [i for i in before if draft.effects_of(i).rng]
