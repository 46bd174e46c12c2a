"""The rules: one pattern by which raw PyTorch and Lightning are known to part, each.

A rule looks at facts that a trace holds (which batch went into a loss, torch's random state, the modes of
the modules, norms of the gradients) and says nothing unless they fit.
"""

from __future__ import annotations

from collections.abc import Callable

from .compare import differing_tensors, losses_of
from .events import Step, Trace
from .evidence import Cause, Evidence

_LAST_BITS = 1e-5

Rule = Callable[[Evidence], Cause | None]

RAW_DID_NOT_STEP = Cause(
    "the raw run did not train",
    "It took no optimizer step, so there is nothing to compare.",
    "Give the arguments with which it trains, after `--`. Training in processes that it starts itself is not seen.",
)


def _did_not_step(e: Evidence) -> Cause | None:
    if e.comparison.steps[0] and not e.comparison.steps[1]:
        return Cause(
            "the converted run did not train",
            f"It took no optimizer step; the raw run took {e.comparison.steps[0]}.",
            "Check that `trainer.fit` is reached, that `training_step` returns the loss, and that its "
            "loader has batches.",
        )
    return None


def _raw_did_not_step(e: Evidence) -> Cause | None:
    return RAW_DID_NOT_STEP if not e.comparison.steps[0] else None


def _accumulation_tail(e: Evidence) -> Cause | None:
    if e.first.what != "losses" or e.pair is None:
        return None
    a, b = len(losses_of(e.raw, e.index)), len(losses_of(e.converted, e.index))
    before = {len(losses_of(e.raw, index)) for index in range(e.index)}
    if len(before) != 1 or min(a, b) >= max(before):
        return None
    return Cause(
        "accumulation over the end of an epoch",
        f"Every step before was made of {max(before)} backward calls, step {e.first.step} of {a} in the "
        f"raw run and of {b} in the converted one.",
        "Trainer's accumulate_grad_batches steps on the last batch of an epoch. Where the raw loop carries "
        "or drops that remainder, use manual optimization and make on_validation_model_zero_grad do "
        "nothing.",
    )


def _accumulation(e: Evidence) -> Cause | None:
    if e.first.what != "losses" or _accumulation_tail(e) is not None:
        return None
    return Cause(
        "another number of backward calls per step",
        f"Step {e.first.step} is made of {e.first.raw} backward calls in the raw run and of "
        f"{e.first.converted} in the converted one.",
        "Compare the accumulation: accumulate_grad_batches, the condition around step(), batches that are skipped.",
    )


def _scheduler(e: Evidence) -> Cause | None:
    if e.first.what != "learning rate":
        return None
    raw, converted = _scheduled(e.raw, e.index), _scheduled(e.converted, e.index)
    if e.index == 0 and not raw and not converted:
        return Cause(
            "another learning rate from the start",
            f"The first step uses {e.first.raw} in the raw run and {e.first.converted} in the converted one.",
            "Compare how the optimizer is built in configure_optimizers.",
        )
    if len(raw) == len(converted):
        return Cause(
            "the learning rate is set elsewhere",
            "Both runs stepped their schedulers equally often; something else sets the rate, or the arguments differ.",
            "Compare the scheduler's arguments (steps_per_epoch, T_max, the metric of a plateau) and "
            "writes to param_groups.",
        )
    return Cause(
        "scheduler interval",
        f"Before step {e.first.step} schedulers had been stepped {len(raw)} times in the raw run and "
        f"{len(converted)} times in the converted one.",
        'Return {"scheduler": ..., "interval": "epoch"} or "step" as the raw loop has it; under manual '
        "optimization call its "
        "step() yourself.",
    )


def _other_optimizer(e: Evidence) -> Cause | None:
    if e.first.what != "optimizer":
        return None
    return Cause(
        "another optimizer, or another order of optimizers",
        f"Step {e.first.step} is taken by {e.first.raw} in the raw run and by {e.first.converted} in the "
        "converted one.",
        "Step the optimizers in the raw order under manual optimization, and build the same classes.",
    )


def _step_count(e: Evidence) -> Cause | None:
    if e.first.what != "steps":
        return None
    a, b = e.comparison.steps
    if not a or not b:
        return None
    epoch = _epoch_length(e.raw)
    if epoch and (a - b) % epoch == 0:
        times = abs(a - b) // epoch
        whole = f"{times} whole epochs" if times > 1 else "one whole epoch"
        why = f"The counts differ by {whole} of {epoch} steps; every common step is identical."
        return Cause(
            "another number of epochs",
            why,
            "Compare max_epochs, max_steps and the conditions that stop training.",
        )
    how = "ends sooner" if b < a else "goes on"
    return Cause(
        f"the converted run {how}",
        f"The {min(a, b)} common steps are identical, then only one of the runs goes on.",
        "Compare where the loops stop: breaks, early stopping, max_steps, limit_train_batches, batches "
        "that are skipped.",
    )


def _training_mode(e: Evidence) -> Cause | None:
    if e.pair is None or e.pair[0].training == e.pair[1].training or e.first.what not in ("loss", "parameters"):
        return None
    (a, total), (b, other_total) = e.pair[0].training, e.pair[1].training
    return Cause(
        "train or eval mode",
        f"At step {e.first.step} {a} of {total} modules are in training mode in the raw run, {b} of "
        f"{other_total} in the converted one.",
        "Call train() and eval() where the raw loop does (on_train_epoch_start); Lightning restores the "
        "modes after validation, and a loop that never calls train() again stays in eval mode.",
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
    if e.losses is None or e.losses[0].rng == e.losses[1].rng or _training_mode(e) is not None:
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


def _start_weights(e: Evidence) -> Cause | None:
    if e.losses is None or e.index > 0 or not e.same_input or e.losses[0].rng != e.losses[1].rng:
        return None
    if e.raw.autocast != e.converted.autocast or _ratio(e.losses[0].loss, e.losses[1].loss):
        return None
    return Cause(
        "other weights at the start, or another computation",
        "The very first loss differs although the random state is the same.",
        "Compare how the model is built and loaded, and what training_step computes.",
    )


def _precision(e: Evidence) -> Cause | None:
    if e.first.what not in ("loss", "parameters") or e.raw.autocast == e.converted.autocast:
        return None
    which = "raw" if e.raw.autocast else "converted"
    return Cause(
        "precision",
        f"Only the {which} run uses autocast.",
        "Keep the raw `with torch.autocast(...)` inside training_step and leave the Trainer's precision alone.",
    )


def _loss_scale(e: Evidence) -> Cause | None:
    if e.losses is None or not e.same_input:
        return None
    ratio = _ratio(e.losses[0].loss, e.losses[1].loss)
    if ratio is None:
        return None
    return Cause(
        "scale of the loss",
        f"The loss differs by the factor {ratio}.",
        "Divide by the number of accumulated batches in one place only; accumulate_grad_batches divides by itself.",
    )


def _computation(e: Evidence) -> Cause | None:
    if e.losses is None or e.index == 0 or not e.same_input or e.losses[0].rng != e.losses[1].rng:
        return None
    if _training_mode(e) or _precision(e) or _loss_scale(e):
        return None
    return Cause(
        "state that changed between steps",
        f"Random state, modes and, as far as seen, data are the same at step {e.first.step}, and so were "
        "all parameters before it.",
        "Look for what else a step reads: buffers (BatchNorm during evaluation), a hidden state, weights "
        "that are loaded or averaged.",
    )


def _clipping(e: Evidence) -> Cause | None:
    if e.first.what != "parameters" or e.pair is None:
        return None
    a, b = e.pair[0].gradient_norm, e.pair[1].gradient_norm
    raw_cap, converted_cap = _cap(e.raw), _cap(e.converted)
    raw_clips = 0 < raw_cap < b and _at_most(a, raw_cap)
    converted_clips = 0 < converted_cap < a and _at_most(b, converted_cap)
    if _close(a, b) or not (raw_clips or converted_clips):
        return None
    whose, cap = ("raw", raw_cap) if a < b else ("converted", converted_cap)
    return Cause(
        "gradient clipping",
        f"Losses are equal, but the gradient norm at step {e.first.step} is {a:.6g} raw and {b:.6g} "
        f"converted; in the {whose} run many steps have exactly the norm {cap:.6g}.",
        "Clip in configure_gradient_clipping with the raw call; a clip inside training_step comes before "
        "backward and does nothing.",
    )


def _gradients(e: Evidence) -> Cause | None:
    if e.first.what != "parameters" or e.pair is None or _clipping(e) is not None:
        return None
    a, b = e.pair[0].gradient_norm, e.pair[1].gradient_norm
    if a == b:
        return None
    if _close(a, b) and _weights_are_close(*e.pair):
        return Cause(
            "last bits of the gradients",
            f"Losses are equal and the gradient norms agree to {_LAST_BITS:g} at step {e.first.step}: sums "
            "were taken in another order.",
            "Clip with the raw call over the raw parameters; do not merge two backward calls into one sum; "
            "keep autocast as it was.",
        )
    if e.index > 0 and (e.at_epoch_start or len(losses_of(e.raw, e.index)) > 1):
        return Cause(
            "gradients carried over the end of an epoch",
            f"Losses are equal, but the gradient norm at step {e.first.step} is {a:.6g} raw and {b:.6g} converted.",
            "Lightning clears gradients before validation; make on_validation_model_zero_grad do nothing.",
        )
    return Cause(
        "zero_grad, clipping or scale of the gradients",
        f"Losses are equal, but the gradient norm at step {e.first.step} is {a:.6g} raw and {b:.6g} converted.",
        "Compare where gradients are zeroed, clipped, scaled or accumulated.",
    )


def _optimizer_settings(e: Evidence) -> Cause | None:
    if e.first.what != "parameters" or e.pair is None or e.pair[0].gradient_norm != e.pair[1].gradient_norm:
        return None
    a, b = e.pair
    if a.tensors and sorted(t.sha1 for t in a.tensors) == sorted(t.sha1 for t in b.tensors):
        return Cause(
            "order of the parameters",
            "The optimizers hold the same tensors in another order.",
            "Build the optimizer from the same expression as the raw script.",
        )
    if len(a.tensors) != len(b.tensors):
        return Cause(
            "other parameters in the optimizer",
            f"It holds {len(a.tensors)} tensors in the raw run and {len(b.tensors)} in the converted one.",
            "Give the optimizer the parameters of the user's model, not those of the LightningModule.",
        )
    some = f" {len(differing_tensors(a, b))} of {len(a.tensors)} tensors differ." if a.tensors else ""
    return Cause(
        "settings of the optimizer, or writes to the weights",
        f"Losses, learning rates and gradient norms are equal at step {e.first.step}, the weights after it "
        f"are not.{some}",
        "Compare weight decay, momentum and betas, zero_grad(set_to_none=False), and code that writes "
        "weights (averaging, clamping).",
    )


def _saves(e: Evidence) -> Cause | None:
    if e.first.what != "saved files":
        return None
    moved = any(s.name == e.first.where for s in e.converted.saves)
    return Cause(
        "another time of saving" if moved else "a save that is missing",
        f"Training is identical, but {e.first.where or 'an object'} is "
        f"{'not saved with the same content' if moved else 'never saved'}.",
        "Save in on_train_epoch_end or on_validation_epoch_end, where the raw loop does, and decide on the "
        "raw numbers, not logged ones.",
    )


def _scheduled(trace: Trace, index: int) -> list[str]:
    """Scheduler steps before the optimizer step ``index`` (from 0)."""
    return [event.scheduler for event in trace.schedulers if event.steps <= index]


def _epoch_length(trace: Trace) -> int:
    starts = sorted({loader.steps for loader in trace.loaders})
    return starts[1] - starts[0] if len(starts) > 1 else 0


def _ratio(a: float, b: float) -> int | None:
    """The whole factor from 2 on between two numbers."""
    if not a or not b:
        return None
    factor = max(abs(a / b), abs(b / a))
    if factor == float("inf") or factor != factor:
        return None
    whole = round(factor)
    return whole if whole > 1 and abs(factor - whole) < _LAST_BITS * whole else None


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= _LAST_BITS * max(abs(a), abs(b))


def _at_most(norm: float, cap: float) -> bool:
    return norm <= cap or _close(norm, cap)


def _weights_are_close(raw: Step, converted: Step) -> bool:
    return all(_close(a.norm, b.norm) for a, b in zip(raw.tensors, converted.tensors, strict=False))


def _cap(trace: Trace) -> float:
    """The norm that the gradients are clipped to: the largest one, when it is reached more than once. 0.0
    if none is.
    """
    norms = [step.gradient_norm for step in trace.steps]
    largest = max(norms, default=0.0)
    reached = sum(_close(norm, largest) for norm in norms)
    return largest if reached > 1 else 0.0


RULES: tuple[Rule, ...] = (
    _raw_did_not_step,
    _did_not_step,
    _scheduler,
    _accumulation_tail,
    _accumulation,
    _other_optimizer,
    _step_count,
    _training_mode,
    _precision,
    _loss_scale,
    _data_order,
    _random_state,
    _start_weights,
    _computation,
    _clipping,
    _gradients,
    _optimizer_settings,
    _saves,
)
