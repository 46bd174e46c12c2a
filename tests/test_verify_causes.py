"""Which causes are named for which pattern, without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from torch2lit.findings import Finding
from torch2lit.verify.causes import likely_causes
from torch2lit.verify.compare import compare
from torch2lit.verify.events import Backward, LoaderStart, SchedulerStep, Step, TensorFact, Trace

EPOCH = 3


def run(epochs: int = 2) -> Trace:
    """A run of two epochs of three steps that is the same every time."""
    made = Trace()
    for number in range(epochs * EPOCH):
        if number % EPOCH == 0:
            made.loaders.append(LoaderStart("RandomSampler", number))
        made.batches.append(f"batch{number}")
        made.backwards.append(Backward(2.0 + number, number, f"rng{number}", number + 1))
        fact = TensorFact(f"w{number}", 1.0 + number, 1.0)
        made.steps.append(Step("SGD#0", (0.1,), f"p{number}", number + 1, 3.0 + number, (4, 4), (fact,)))
    return made


def change_loss(trace: Trace, number: int, **changes: object) -> None:
    values = {"loss": 0.3141, **changes}
    trace.backwards[number] = replace(trace.backwards[number], **values)  # type: ignore[arg-type]


def change_step(trace: Trace, number: int, **changes: object) -> None:
    trace.steps[number] = replace(trace.steps[number], **changes)  # type: ignore[arg-type]


def change_weights(trace: Trace, number: int, norm: float = 9.0, **changes: object) -> None:
    change_step(trace, number, parameters="other", tensors=(TensorFact("other", norm, 1.0),), **changes)


def no_steps(raw: Trace, converted: Trace) -> None:
    converted.steps.clear()


def raw_without_steps(raw: Trace, converted: Trace) -> None:
    raw.steps.clear()


def rate_from_the_start(raw: Trace, converted: Trace) -> None:
    change_step(converted, 0, learning_rates=(0.2,))


def rate_after_other_scheduler_steps(raw: Trace, converted: Trace) -> None:
    raw.schedulers.append(SchedulerStep("StepLR", 3))
    converted.schedulers += [SchedulerStep("StepLR", 1), SchedulerStep("StepLR", 2)]
    change_step(converted, 1, learning_rates=(0.05,))


def rate_after_the_same_scheduler_steps(raw: Trace, converted: Trace) -> None:
    for one in (raw, converted):
        one.schedulers.append(SchedulerStep("OneCycleLR", 1))
    change_step(converted, 1, learning_rates=(0.05,))


def other_optimizer(raw: Trace, converted: Trace) -> None:
    change_step(converted, 1, optimizer="Adam#1")


def accumulate(trace: Trace, counts: list[int]) -> None:
    total = 0
    for number, count in enumerate(counts):
        total += count
        change_step(trace, number, loss_count=total)
    trace.backwards[:] = [trace.backwards[0]] * total


def tail(raw: Trace, converted: Trace) -> None:
    accumulate(raw, [2, 2, 3, 2, 2, 2])
    accumulate(converted, [2, 2, 1, 2, 2, 2])


def window(raw: Trace, converted: Trace) -> None:
    accumulate(raw, [2, 2, 2, 2, 2, 2])
    accumulate(converted, [4, 2, 2, 2, 2, 2])


def one_epoch_less(raw: Trace, converted: Trace) -> None:
    for events in (converted.steps, converted.backwards):
        del events[EPOCH:]


def one_step_less(raw: Trace, converted: Trace) -> None:
    for events in (converted.steps, converted.backwards):
        del events[-1:]


def stays_in_eval_mode(raw: Trace, converted: Trace) -> None:
    change_loss(converted, 3, rng="other")
    change_step(converted, 3, training=(0, 4))


def autocast(raw: Trace, converted: Trace) -> None:
    converted.autocast = True
    change_loss(converted, 0)


def scaled(raw: Trace, converted: Trace) -> None:
    change_loss(converted, 0, loss=raw.losses[0] / 4)


def shuffled_epoch(raw: Trace, converted: Trace) -> None:
    converted.batches[3:] = ["other"] * 3
    change_loss(converted, 3)


def dropout(raw: Trace, converted: Trace) -> None:
    change_loss(converted, 2, rng="other")


def other_model(raw: Trace, converted: Trace) -> None:
    change_loss(converted, 0)


def buffers(raw: Trace, converted: Trace) -> None:
    change_loss(converted, 3)


def clip(trace: Trace, cap: float) -> None:
    for number, step in enumerate(trace.steps):
        change_step(trace, number, gradient_norm=min(step.gradient_norm, cap))


def unclipped(raw: Trace, converted: Trace) -> None:
    clip(raw, 5.0)
    change_weights(converted, 3)


def clipped(raw: Trace, converted: Trace) -> None:
    clip(converted, 5.0)
    change_weights(converted, 3)


def last_bits(raw: Trace, converted: Trace) -> None:
    norm = raw.steps[1].gradient_norm
    change_weights(converted, 1, raw.steps[1].tensors[0].norm * (1 + 1e-7), gradient_norm=norm * (1 + 1e-7))


def carried(raw: Trace, converted: Trace) -> None:
    change_weights(converted, 3, gradient_norm=1.5)


def not_zeroed(raw: Trace, converted: Trace) -> None:
    change_weights(converted, 1, gradient_norm=1.5)


def larger_than_ever(raw: Trace, converted: Trace) -> None:
    change_weights(converted, 5, gradient_norm=100.0)


def weight_decay(raw: Trace, converted: Trace) -> None:
    change_weights(converted, 1)


def more_parameters(raw: Trace, converted: Trace) -> None:
    change_step(converted, 0, parameters="other", tensors=(*raw.steps[0].tensors, TensorFact("x", 1.0, 1.0)))


def reordered(raw: Trace, converted: Trace) -> None:
    a, b = TensorFact("a", 1.0, 1.0), TensorFact("b", 2.0, 2.0)
    change_step(raw, 0, tensors=(a, b))
    change_step(converted, 0, parameters="other", tensors=(b, a))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (no_steps, "the converted run did not train"),
        (raw_without_steps, "the raw run did not train"),
        (rate_from_the_start, "another learning rate from the start"),
        (rate_after_other_scheduler_steps, "scheduler interval"),
        (rate_after_the_same_scheduler_steps, "the learning rate is set elsewhere"),
        (other_optimizer, "another optimizer, or another order of optimizers"),
        (tail, "accumulation over the end of an epoch"),
        (window, "another number of backward calls per step"),
        (one_epoch_less, "another number of epochs"),
        (one_step_less, "the converted run ends sooner"),
        (stays_in_eval_mode, "train or eval mode"),
        (autocast, "precision"),
        (scaled, "scale of the loss"),
        (shuffled_epoch, "order of the data"),
        (dropout, "random numbers"),
        (other_model, "other weights at the start, or another computation"),
        (buffers, "state that changed between steps"),
        (unclipped, "gradient clipping"),
        (clipped, "gradient clipping"),
        (last_bits, "last bits of the gradients"),
        (carried, "gradients carried over the end of an epoch"),
        (not_zeroed, "zero_grad, clipping or scale of the gradients"),
        (larger_than_ever, "zero_grad, clipping or scale of the gradients"),
        (weight_decay, "settings of the optimizer, or writes to the weights"),
        (more_parameters, "other parameters in the optimizer"),
        (reordered, "order of the parameters"),
    ],
)
def test_a_pattern_names_its_cause(change: Callable[[Trace, Trace], None], name: str) -> None:
    raw, converted = run(), run()
    change(raw, converted)
    assert [cause.name for cause in likely_causes(raw, converted, compare(raw, converted))] == [name]


def test_nothing_differs_nothing_is_named() -> None:
    assert likely_causes(run(), run(), compare(run(), run())) == ()


def test_two_empty_runs_name_the_raw_one() -> None:
    (cause,) = likely_causes(Trace(), Trace(), compare(Trace(), Trace()))
    assert cause.name == "the raw run did not train"


def test_findings_that_ask_for_a_review_come_last() -> None:
    raw, converted = run(), run()
    weight_decay(raw, converted)
    review = Finding(7, 1, "T2L299", "some-slug", "review", "the message", "the remedy")
    note = replace(review, code="T2L399", severity="note")
    causes = likely_causes(raw, converted, compare(raw, converted), [note, review])
    assert [cause.name for cause in causes][1:] == ["T2L299 some-slug"]
    assert "line 7" in causes[1].why
