"""Learning rates that part: the moments at which schedulers step, and what they were told."""

from __future__ import annotations

from ..compare import losses_of
from ..events import SchedulerStep, Trace
from ..evidence import Cause, Evidence
from .rule import Rule, accumulates, other_settings, told, trainer_setting


def _from_the_start(e: Evidence) -> Cause | None:
    if not _rate(e) or e.index or _stepped(e.raw, 0) or _stepped(e.converted, 0):
        return None
    settings = _settings(e)
    why = f" {told(settings).capitalize()}." if settings else ""
    return Cause(
        "another learning rate from the start",
        f"The first step uses {e.first.raw} in the raw run and {e.first.converted} in the converted one.{why}",
        "Compare how the optimizer and its scheduler are built in configure_optimizers.",
    )


def _another_scheduler(e: Evidence) -> Cause | None:
    if not _rate(e):
        return None
    a, b = ([s.scheduler for s in _stepped(trace, e.index)] for trace in (e.raw, e.converted))
    if not a or not b or set(a) == set(b):
        return None
    return Cause(
        "another scheduler",
        f"The raw run steps {', '.join(sorted(set(a)))}, the converted one {', '.join(sorted(set(b)))}.",
        "Build the same scheduler in configure_optimizers.",
    )


def _batches_for_steps(e: Evidence) -> Cause | None:
    """One run steps its schedule once per batch, the other once per optimizer step, which accumulation makes rarer."""
    if not _rate(e) or not accumulates(e.raw, e.index):
        return None
    per_batch, per_step = (_pace(trace, e.index) for trace in (e.raw, e.converted))
    if {per_batch, per_step} != {"batch", "step"}:
        return None
    whose = "raw" if per_batch == "batch" else "converted"
    return Cause(
        "the schedule counts batches, not optimizer steps",
        f"With several backward passes per optimizer step, the {whose} run steps its scheduler after every batch and the "
        "other one after every optimizer step.",
        'Lightning\'s "interval": "step" steps the schedule once per optimizer step. Where the raw loop steps it per batch, leave '
        "the scheduler out of what configure_optimizers returns and call its step() in on_train_batch_end.",
    )


def _interval(e: Evidence) -> Cause | None:
    if not _rate(e):
        return None
    raw, converted = len(_stepped(e.raw, e.index)), len(_stepped(e.converted, e.index))
    if raw == converted:
        return None
    return Cause(
        "scheduler interval",
        f"Before step {e.first.step} schedulers had been stepped {raw} times in the raw run and "
        f"{converted} times in the converted one.",
        'Return {"scheduler": ..., "interval": "epoch"} or "step" as the raw loop has it; under manual '
        "optimization call its step() yourself.",
    )


def _arguments(e: Evidence) -> Cause | None:
    if not _rate(e) or not (settings := _settings(e)):
        return None
    return Cause(
        "other arguments of the scheduler",
        f"Both runs stepped it equally often, but {told(settings)}.",
        "Give the scheduler the raw script's arguments: steps_per_epoch is `len(loader)`, not the length of the data set, and totals "
        "count optimizer steps.",
    )


def _metric(e: Evidence) -> Cause | None:
    if not _rate(e):
        return None
    pairs = zip(_stepped(e.raw, e.index), _stepped(e.converted, e.index), strict=False)
    other = next(((a.metric, b.metric) for a, b in pairs if a.metric != b.metric), None)
    if other is None:
        return None
    return Cause(
        "another metric for the plateau schedule",
        f"ReduceLROnPlateau was first given {other[0]} in the raw run and {other[1]} in the converted one.",
        "Let `monitor` name the number that the raw script gives to step(), logged as a float64 tensor: a Python float "
        "becomes a float32.",
    )


def _sanity_check(e: Evidence) -> Cause | None:
    if not _rate(e) or trainer_setting(e.converted, "num_sanity_val_steps") in ("", "0"):
        return None
    if not _evaluated_before_training(e.converted) or _evaluated_before_training(e.raw):
        return None
    return Cause(
        "the sanity check changes a state",
        "Lightning's sanity check ran the validation before the first step, which the raw run did not, and what the validation counts or "
        "keeps was changed by it.",
        "Use num_sanity_val_steps=0, and start what an evaluation sums up anew in on_validation_epoch_start.",
    )


def _elsewhere(e: Evidence) -> Cause | None:
    if not _rate(e) or any(rule(e) for rule in SCHEDULE if rule is not _elsewhere):
        return None
    return Cause(
        "the learning rate is set elsewhere",
        "Both runs stepped their schedulers equally often; something else sets the rate.",
        "Compare writes to param_groups, and values that a schedule reads while it runs (a counter, a best metric).",
    )


def _rate(e: Evidence) -> bool:
    return e.first.what == "learning rate"


def _stepped(trace: Trace, index: int) -> list[SchedulerStep]:
    """Scheduler steps before the optimizer step ``index`` (from 0)."""
    return [event for event in trace.schedulers if event.steps <= index]


def _settings(e: Evidence) -> list[tuple[str, str, str]]:
    return other_settings(e.raw.of_kind("scheduler"), e.converted.of_kind("scheduler"))


def _pace(trace: Trace, index: int) -> str:
    """Whether schedulers step once per backward pass or once per optimizer step up to a step; "" for neither."""
    count = len(_stepped(trace, index))
    passes = sum(len(losses_of(trace, step)) for step in range(index + 1))
    if passes - 1 <= count <= passes and passes > index + 1:
        return "batch"
    return "step" if index <= count <= index + 1 else ""


def _evaluated_before_training(trace: Trace) -> bool:
    """Whether a model is put in eval mode before the first step, and batches are read then that no loss came from."""
    first = trace.backwards[0].batches if trace.backwards else 0
    return first > 1 and any(not mode.training and mode.steps == 0 for mode in trace.modes)


SCHEDULE: tuple[Rule, ...] = (
    _batches_for_steps,
    _from_the_start,
    _another_scheduler,
    _interval,
    _arguments,
    _metric,
    _sanity_check,
    _elsewhere,
)
