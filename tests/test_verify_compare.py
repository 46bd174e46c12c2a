"""What `compare` says of two traces, without torch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from torch2lit.verify.compare import _decimals, compare
from torch2lit.verify.events import Backward, Save, Step, TensorFact, Trace, read, to_line


def trace(steps: int = 3, per_step: int = 1) -> Trace:
    """A run of ``steps`` steps with ``per_step`` losses each."""
    made = Trace(names={"SGD#0": ("weight", "bias")}, ended="exit")
    for number in range(steps):
        for part in range(per_step):
            made.backwards.append(Backward(1.0 / (1 + number) + part, number, "rng", number + 1))
        facts = (TensorFact(f"w{number}", 2.0, 1.0), TensorFact(f"b{number}", 1.0, 0.5))
        count = len(made.backwards)
        made.steps.append(Step("SGD#0", (0.1,), f"p{number}", count, 1.0, (2, 2), facts))
        made.batches.append(f"batch{number}")
    return made


def test_equal_runs_are_identical() -> None:
    result = compare(trace(), trace())
    assert result.identical
    assert result.first is None
    assert result.tensors == 2


def test_runs_without_a_step_prove_nothing() -> None:
    assert not compare(Trace(), Trace()).identical


def test_two_nans_are_the_same_loss() -> None:
    raw, converted = trace(), trace()
    for one in (raw, converted):
        one.backwards[1] = replace(one.backwards[1], loss=float("nan"))
    assert compare(raw, converted).identical


def test_the_last_bit_of_a_loss_counts() -> None:
    converted = trace()
    converted.backwards[1] = replace(converted.backwards[1], loss=0.5000000000000001)
    first = compare(trace(), converted).first
    assert first is not None
    assert (first.what, first.step, first.raw, first.converted) == ("loss", 2, "0.5", "0.5000000000000001")
    assert first.amount == pytest.approx(1.1e-16, rel=0.01)


def test_the_learning_rate_is_told_before_the_parameters_that_it_changes() -> None:
    converted = trace()
    converted.steps[2] = replace(converted.steps[2], learning_rates=(0.05,), parameters="other")
    result = compare(trace(), converted)
    assert result.first is not None
    assert (result.first.what, result.first.step, result.first.amount) == ("learning rate", 3, 0.05)
    assert not result.learning_rates_identical
    assert result.losses_identical


def test_parameters_are_told_by_name_and_amount() -> None:
    converted = trace()
    facts = (converted.steps[1].tensors[0], TensorFact("other", 1.25, 0.5))
    converted.steps[1] = replace(converted.steps[1], parameters="other", tensors=facts)
    first = compare(trace(), converted).first
    assert first is not None
    assert (first.what, first.step, first.amount) == ("parameters", 2, 0.25)
    assert first.where == "1 of 2 tensors, first bias"


def test_another_number_of_losses_per_step_is_a_difference() -> None:
    converted = trace(per_step=2)
    del converted.backwards[-1]
    converted.steps[-1] = replace(converted.steps[-1], loss_count=5)
    first = compare(trace(per_step=2), converted).first
    assert first is not None
    assert (first.what, first.step, first.raw, first.converted) == ("losses", 3, "2", "1")


@pytest.mark.parametrize(("raw", "converted", "step"), [(3, 2, 3), (2, 3, 3), (3, 0, 1)])
def test_one_run_goes_on(raw: int, converted: int, step: int) -> None:
    result = compare(trace(raw), trace(converted))
    assert result.first is not None
    assert (result.first.what, result.first.step) == ("steps", step)
    assert result.parameters_identical
    assert not result.identical


def test_a_loss_after_the_last_step_counts() -> None:
    converted = trace()
    converted.backwards.append(Backward(1.0, 3, "rng", 3))
    first = compare(trace(), converted).first
    assert first is not None
    assert (first.what, first.step) == ("losses", 4)


@pytest.mark.parametrize(
    ("parts", "steps", "version", "same"),
    [
        (("w", "other"), 3, True, True),
        (("other",), 3, True, False),
        (("w",), 2, True, False),
        (("w",), 3, False, False),
        ((), 3, True, False),
    ],
)
def test_a_checkpoint_of_lightnings_holds_what_was_saved(
    parts: tuple[str, ...], steps: int, version: bool, same: bool
) -> None:
    raw, converted = trace(), trace()
    raw.saves.append(replace(save(), parts=("w",)))
    keys = ("state_dict", "pytorch-lightning_version") if version else ("state_dict",)
    converted.saves.append(Save("", "dict", keys, "all", steps, parts))
    result = compare(raw, converted)
    assert result.saves_identical == same and result.in_checkpoints == int(same)


def save(tensors: str = "t", steps: int = 3, name: str = "best.pt") -> Save:
    return Save(name, "dict", ("weight",), tensors, steps)


@pytest.mark.parametrize(
    ("saves", "told"),
    [
        ([], "not saved"),
        ([save("other")], "other tensors"),
        ([replace(save(), keys=("w",))], "other keys"),
        ([save(steps=2)], "saved 1 times, never like this"),
    ],
)
def test_a_save_must_come_at_the_same_step_with_the_same_content(saves: list[Save], told: str) -> None:
    raw, converted = trace(), trace()
    raw.saves.append(save())
    converted.saves.extend(saves)
    result = compare(raw, converted)
    assert not result.saves_identical
    assert result.first is not None
    assert (result.first.what, result.first.where, result.first.converted) == ("saved files", "best.pt", told)


def test_saving_more_than_the_raw_run_does_no_harm() -> None:
    raw, converted = trace(), trace()
    raw.saves.append(save())
    converted.saves += [save("a checkpoint"), save()]
    assert compare(raw, converted).identical


def test_one_save_does_not_stand_for_two() -> None:
    raw, converted = trace(), trace()
    raw.saves += [save(), save()]
    converted.saves.append(save())
    assert not compare(raw, converted).saves_identical


def test_printed_decimals_leave_out_times_and_never_decide() -> None:
    raw = "epoch 1 loss 0.25\ntook 3.21 s\n"
    assert compare(trace(), trace(), raw, "loss 0.25\nelapsed 9.99\n").decimals_identical
    other = compare(trace(), trace(), raw, "loss 0.26\n")
    assert not other.decimals_identical
    assert other.identical


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("epoch 1 loss 0.25 time 3.21", ["0.25"]),
        ("loss 0.25 | 81.2 it/s | accuracy 0.5", ["0.25", "0.5"]),
        ("step 3: 12.5 images/sec, loss 0.25", ["0.25"]),
        ("took 1m 3.5s, best 0.75", ["0.75"]),
        (
            "Epoch: [0][10/50]\tTime 0.123 (0.456)\tData 0.010 (0.020)\tLoss 2.3000e+00 (2.4000e+00)",
            ["2.3000e+00", "2.4000e+00"],
        ),
        ("elapsed: 9.99", []),
        ("3.21 s/it loss -0.25", ["-0.25"]),
        ("data 0.5 loss 0.25", ["0.5", "0.25"]),
    ],
)
def test_only_the_numbers_that_tell_a_time_are_left_out(line: str, kept: list[str]) -> None:
    assert _decimals(line) == kept


def test_a_number_beside_a_speed_is_compared() -> None:
    raw, other = "loss 0.25 at 80.1 it/s\n", "loss 0.26 at 99.9 it/s\n"
    assert compare(trace(), trace(), raw, raw.replace("80.1", "99.9")).decimals_identical
    assert not compare(trace(), trace(), raw, other).decimals_identical


def test_a_trace_survives_its_lines() -> None:
    before = trace(per_step=2)
    before.saves.append(save())
    before.autocast = True
    events = [*before.backwards, *before.steps, *before.saves]
    lines = [to_line(type(event).__name__, event) for event in events]
    lines += [to_line("batch", batch) for batch in before.batches]
    lines += [to_line("names", before.names), to_line("autocast", True), to_line("end", "exit")]
    assert read(lines) == before


def test_a_line_that_was_cut_off_ends_the_trace() -> None:
    whole = to_line("Backward", Backward(1.0, 0, "rng", 1))
    assert read([whole, whole[:20], whole]).losses == [1.0]
