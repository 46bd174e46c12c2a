"""Data that part: loaders that are built otherwise, seeds, the order of batches, random numbers."""

from __future__ import annotations

from ..events import Fact, Trace
from ..evidence import Cause, Evidence
from .losses import MODES
from .rule import Rule, other_settings, told


def _loaders(e: Evidence) -> Cause | None:
    """The loader that feeds the training is built otherwise."""
    if e.losses is None or not e.knows_batches or e.same_batch:
        return None
    pair = [_training_loader(trace) for trace in (e.raw, e.converted)]
    if pair[0] is None or pair[1] is None:
        return None
    parted = [d for d in other_settings([pair[0]], [pair[1]]) if "unknown" not in d[1:]]
    telling = [d for d in parted if d[0] in ("batch_size", "drop_last", "sampler", "samples", "num_workers")]
    if not telling:
        return None
    return Cause(
        "other settings of the training loader",
        f"{told(parted).capitalize()}.",
        "Build the training loader with the raw script's arguments.",
    )


def _seeds(e: Evidence) -> Cause | None:
    if e.losses is None or e.losses[0].rng == e.losses[1].rng:
        return None
    a, b = ([fact.name for fact in trace.of_kind("seed") if fact.steps <= e.index] for trace in (e.raw, e.converted))
    if a == b:
        return None
    if sorted(set(a)) == sorted(set(b)) or not a or not b:
        how = f"torch was seeded {len(a)} times in the raw run and {len(b)} times in the converted one"
    else:
        how = f"the seeds are {', '.join(a)} in the raw run and {', '.join(b)} in the converted one"
    return Cause(
        "seeding",
        f"Before step {e.first.step} {how}.",
        "Keep the raw seeding lines and their place; each further `manual_seed` or `seed_everything` starts the random numbers anew, "
        "after the network or before the data.",
    )


def _data_order(e: Evidence) -> Cause | None:
    if e.losses is None or not e.knows_batches or e.same_batch:
        return None
    a, b = e.losses
    raw, converted = e.raw.batches[: a.batches], e.converted.batches[: b.batches]
    which = ", the first of an epoch," if e.at_epoch_start else ""
    if e.raw.last_batch(a) in e.converted.batches or sorted(raw) == sorted(converted):
        how = "The same batches come in another order"
    else:
        how = "Shuffling, sampling or augmentation gave other data"
    return Cause(
        "order of the data",
        f"{how}: the batch of step {e.first.step}{which} is not the same.",
        "Keep the order in which loaders, splits and models are built; an extra DataLoader, a sanity "
        "check, a replaced sampler or reload_dataloaders_every_n_epochs draws from the random state that "
        "shuffles.",
    )


def _random_state(e: Evidence) -> Cause | None:
    if e.losses is None or e.losses[0].rng == e.losses[1].rng or any(rule(e) for rule in MODES[:1]):
        return None
    if e.knows_batches and not e.same_batch and e.index > 0:
        return None
    return Cause(
        "random numbers",
        f"Torch's random state differs at step {e.first.step}: something drew more, fewer or other numbers "
        "before it" + (" (dropout, noise, prefetched batches)." if e.index else " (seeding, order of construction)."),
        "Keep the raw seeding lines and their place; use num_sanity_val_steps=0; a loader without length "
        "is prefetched by one batch.",
    )


def _training_loader(trace: Trace) -> Fact | None:
    """The first loader that is started after the sanity check's, if there is one: the one before the first loss."""
    before = [fact for fact in trace.of_kind("loader") if fact.steps == 0]
    first = [loader for loader in trace.loaders if loader.steps == 0]
    if not before or not first or not trace.backwards:
        return None
    # Lightning starts the training loader last before the first loss; a raw loop does so, too.
    sampler = next((fact for fact in reversed(before) if fact.settings["sampler"] != "SequentialSampler"), None)
    return sampler or before[0 if len(before) == 1 else -1]


SEEDS_AND_LOADERS: tuple[Rule, ...] = (_loaders, _seeds)
DATA: tuple[Rule, ...] = (_data_order, _random_state)
