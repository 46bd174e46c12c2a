"""Runs that do not take the same number of steps."""

from __future__ import annotations

from ..compare import losses_of
from ..events import Trace
from ..evidence import Cause, Evidence
from .rule import Rule, accumulates, optimizers, trainer_setting

RAW_DID_NOT_STEP = Cause(
    "the raw run did not train",
    "It took no optimizer step, so there is nothing to compare.",
    "Give the arguments with which it trains, after `--`. Training in processes that it starts itself is not seen.",
)


def _raw_did_not_step(e: Evidence) -> Cause | None:
    return RAW_DID_NOT_STEP if not e.comparison.steps[0] else None


def _did_not_step(e: Evidence) -> Cause | None:
    if e.comparison.steps[0] and not e.comparison.steps[1]:
        return Cause(
            "the converted run did not train",
            f"It took no optimizer step; the raw run took {e.comparison.steps[0]}.",
            "Check that `trainer.fit` is reached, that `training_step` returns the loss, and that its loader has batches.",
        )
    return None


def _max_steps_of_all_optimizers(e: Evidence) -> Cause | None:
    count = len(optimizers(e.raw))
    limit = trainer_setting(e.converted, "max_steps")
    if e.first.what != "steps" or count < 2 or limit != str(e.comparison.steps[1]):
        return None
    return Cause(
        "max_steps counts the steps of every optimizer",
        f"The Trainer stops at max_steps={limit}, and each of the {count} optimizers counts its own steps there.",
        "Multiply max_steps by the number of optimizer steps per batch, or stop by max_epochs or `self.trainer.should_stop` at "
        "a count of batches that the module keeps.",
    )


def _max_steps_of_batches(e: Evidence) -> Cause | None:
    limit = trainer_setting(e.converted, "max_steps")
    if e.first.what != "steps" or limit in ("", "-1") or not accumulates(e.raw, len(e.raw.steps)):
        return None
    if limit not in (str(len(e.raw.backwards)), str(e.comparison.steps[1])):
        return None
    return Cause(
        "max_steps counts optimizer steps, not batches",
        f"max_steps={limit}, the raw run made {len(e.raw.backwards)} backward passes and {e.comparison.steps[0]} optimizer steps.",
        "Give max_steps the number of optimizer steps; with accumulation that is fewer than batches.",
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
        "Compare where the loops stop: breaks, early stopping, max_steps, limit_train_batches, batches that are skipped.",
    )


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
        "or drops that remainder, use manual optimization and make on_validation_model_zero_grad do nothing.",
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


def _epoch_length(trace: Trace) -> int:
    starts = sorted({loader.steps for loader in trace.loaders})
    return starts[1] - starts[0] if len(starts) > 1 else 0


TOO_SHORT: tuple[Rule, ...] = (_raw_did_not_step, _did_not_step)
ENDS: tuple[Rule, ...] = (
    _accumulation_tail,
    _accumulation,
    _max_steps_of_all_optimizers,
    _max_steps_of_batches,
    _step_count,
)
