"""Compares two traces: pure functions from data to data, no torch."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from .events import Save, Step, Trace

What = Literal["steps", "losses", "loss", "optimizer", "learning rate", "parameters", "saved files"]

_DECIMAL = re.compile(r"(?<![\w.])-?\d+\.\d+(?:[eE][+-]?\d+)?(?![\w.])")
_WORDS = r"time|elapsed|eta|took|second|duration|speed|throughput"
_UNITS = r"(?:s|ms|sec|secs|min|h)\b"
_TIMED = re.compile(rf"\b(?:{_WORDS})|\d\s*{_UNITS}|/s(?:ec\w*)?\b", re.I)
_TIME_WORD = re.compile(rf"(?:\b|_)(?:{_WORDS}|data\b|load)|/s\b|/sec", re.I)
"""What names a time in a line in which times are told: the imagenet example's ``Data 0.02`` is one."""
_UNIT = re.compile(rf"\s*(?:{_UNITS}|seconds\b|minutes\b|hours\b|\w*/s(?:ec\w*)?\b|s/\w+)", re.I)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\d.])")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that parts. ``step`` counts from 1; ``raw`` and ``converted`` are what each run had.

    ``amount`` is the absolute difference where there is one number to tell, ``where`` names the tensor or
    the loss.
    """

    what: What
    step: int
    raw: str
    converted: str
    amount: float | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far two runs are the same. Counts are (raw, converted); ``tensors`` counts the parameters that
    were compared.

    ``in_checkpoints`` counts the saves whose tensors are in checkpoints of Lightning's, in a form of their own.
    ``decimals_identical`` says whether the same decimal numbers were printed, lines about time aside; it
    never decides.
    """

    steps: tuple[int, int]
    losses: tuple[int, int]
    tensors: int
    losses_identical: bool
    learning_rates_identical: bool
    optimizers_identical: bool
    parameters_identical: bool
    saves: tuple[int, int]
    saves_identical: bool
    decimals_identical: bool
    first: Difference | None
    in_checkpoints: int = 0

    @property
    def identical(self) -> bool:
        """Whether the runs trained the same and saved the same, and trained at all."""
        return self.first is None and max(self.steps[0], self.losses[0]) > 0


def compare(raw: Trace, converted: Trace, raw_output: str = "", converted_output: str = "") -> Comparison:
    """Compare two traces step by step, bit for bit."""
    pairs = list(zip(raw.steps, converted.steps, strict=False))
    return Comparison(
        steps=(len(raw.steps), len(converted.steps)),
        losses=(len(raw.backwards), len(converted.backwards)),
        tensors=_tensor_count(raw),
        losses_identical=len(raw.losses) == len(converted.losses) and all(map(same, raw.losses, converted.losses)),
        learning_rates_identical=all(_same_rates(a, b) for a, b in pairs),
        optimizers_identical=all(a.optimizer == b.optimizer for a, b in pairs),
        parameters_identical=all(a.parameters == b.parameters for a, b in pairs),
        saves=(len(raw.saves), len(converted.saves)),
        saves_identical=not _missing_saves(raw, converted),
        decimals_identical=_decimals(raw_output) == _decimals(converted_output),
        first=_first_difference(raw, converted),
        in_checkpoints=_in_checkpoints(raw, converted)[1],
    )


def same(a: float, b: float) -> bool:
    """Whether two numbers are the same to the last bit; two NaNs are."""
    return a == b or (math.isnan(a) and math.isnan(b))


def losses_of(trace: Trace, step: int) -> list[float]:
    """The losses that went into a step (from 0); those after the last step when there is no such step."""
    start = trace.steps[step - 1].loss_count if 0 < step <= len(trace.steps) else 0
    end = trace.steps[step].loss_count if step < len(trace.steps) else len(trace.backwards)
    return trace.losses[start:end]


def differing_tensors(raw: Step, converted: Step) -> list[int]:
    """Positions of the parameters that differ after a step. [] when the details were not recorded."""
    pairs = zip(raw.tensors, converted.tensors, strict=False)
    return [index for index, (a, b) in enumerate(pairs) if a.sha1 != b.sha1]


def tensor_name(trace: Trace, optimizer: str, index: int) -> str:
    """The name of a parameter of an optimizer, or its position when no model told its name."""
    names = trace.names.get(optimizer, ())
    return names[index] if index < len(names) and names[index] else f"parameter {index}"


def _first_difference(raw: Trace, converted: Trace) -> Difference | None:
    for index in range(min(len(raw.steps), len(converted.steps))):
        if found := _step_difference(raw, converted, index):
            return found
    common = min(len(raw.steps), len(converted.steps))
    if len(raw.steps) != len(converted.steps):
        return Difference("steps", common + 1, str(len(raw.steps)), str(len(converted.steps)))
    if found := _loss_difference(losses_of(raw, common), losses_of(converted, common), common):
        return found
    return _save_difference(raw, converted)


def _step_difference(raw: Trace, converted: Trace, index: int) -> Difference | None:
    a, b = raw.steps[index], converted.steps[index]
    if found := _loss_difference(losses_of(raw, index), losses_of(converted, index), index):
        return found
    if a.optimizer != b.optimizer:
        return Difference("optimizer", index + 1, a.optimizer, b.optimizer)
    if not _same_rates(a, b):
        as_many = len(a.learning_rates) == len(b.learning_rates)
        amounts = [abs(x - y) for x, y in zip(a.learning_rates, b.learning_rates, strict=True)] if as_many else []
        return Difference("learning rate", index + 1, _rates(a), _rates(b), max(amounts, default=None))
    if a.parameters != b.parameters:
        return _parameter_difference(raw, a, b, index)
    return None


def _loss_difference(raw: list[float], converted: list[float], index: int) -> Difference | None:
    for number, (a, b) in enumerate(zip(raw, converted, strict=False), start=1):
        if not same(a, b):
            where = f"loss {number} of {len(raw)}" if len(raw) > 1 else ""
            return Difference("loss", index + 1, repr(a), repr(b), abs(a - b), where)
    if len(raw) != len(converted):
        return Difference("losses", index + 1, str(len(raw)), str(len(converted)))
    return None


def _parameter_difference(raw: Trace, a: Step, b: Step, index: int) -> Difference:
    different = differing_tensors(a, b)
    if not different:
        return Difference("parameters", index + 1, a.parameters[:12], b.parameters[:12])
    first = different[0]
    x, y = a.tensors[first], b.tensors[first]
    where = f"{len(different)} of {len(a.tensors)} tensors, first {tensor_name(raw, a.optimizer, first)}"
    amount = abs(x.norm - y.norm)
    return Difference("parameters", index + 1, f"norm {x.norm!r}", f"norm {y.norm!r}", amount, where)


def _save_difference(raw: Trace, converted: Trace) -> Difference | None:
    missing = _missing_saves(raw, converted)
    if not missing:
        return None
    lost = missing[0]
    twins = [save for save in converted.saves if save.name == lost.name]
    twin = next((save for save in twins if save.steps == lost.steps), None)
    if twin is not None:
        told = "other keys" if twin.keys != lost.keys else "other tensors"
    else:
        told = f"saved {len(twins)} times, never like this" if twins else "not saved"
    raw_told = f"{lost.type} of {len(lost.keys)} keys" if lost.keys else lost.type
    return Difference("saved files", lost.steps, raw_told, told, where=lost.name)


def _missing_saves(raw: Trace, converted: Trace) -> list[Save]:
    """What raw saved and converted did not, in order. More saves (a ModelCheckpoint) do no harm."""
    missing, _ = _in_checkpoints(raw, converted)
    return missing


def _in_checkpoints(raw: Trace, converted: Trace) -> tuple[list[Save], int]:
    """What is missing, and how many saves of raw are in checkpoints of Lightning's, whose form is another one."""
    left = Counter((save.tensors, save.keys, save.steps) for save in converted.saves)
    checkpoints = [save for save in converted.saves if save.by_lightning]
    missing, held = [], 0
    for save in raw.saves:
        key = (save.tensors, save.keys, save.steps)
        if left[key]:
            left[key] -= 1
        elif (twin := next((c for c in checkpoints if _holds(c, save)), None)) is not None:
            checkpoints.remove(twin)
            held += 1
        else:
            missing.append(save)
    return missing, held


def _holds(checkpoint: Save, save: Save) -> bool:
    """Whether a checkpoint was saved after the same step and holds the same tensors."""
    return checkpoint.steps == save.steps and bool(save.parts) and set(save.parts) <= set(checkpoint.parts)


def _same_rates(a: Step, b: Step) -> bool:
    return len(a.learning_rates) == len(b.learning_rates) and all(map(same, a.learning_rates, b.learning_rates))


def _rates(step: Step) -> str:
    return ", ".join(map(repr, step.learning_rates))


def _tensor_count(trace: Trace) -> int:
    counts = {step.optimizer: len(step.tensors) for step in trace.steps if step.tensors}
    return sum(counts.values())


def _decimals(output: str) -> list[str]:
    return [number for line in re.split(r"[\r\n]", output) for number in _untimed(line)]


def _untimed(line: str) -> list[str]:
    """The decimal numbers of a line but for those that tell a time or a speed, by the words before them or the unit after."""
    if not _TIMED.search(line):
        return _DECIMAL.findall(line)
    found, end, timed = [], 0, False
    for number in _NUMBER.finditer(line):
        label = line[end : number.start()]
        if _LETTER.search(label):  # without words of its own a number goes with the one before: `Time 0.1 (0.2)`
            timed = _TIME_WORD.search(label) is not None
        unit = _UNIT.match(line, number.end())
        if not timed and unit is None and _DECIMAL.match(line, number.start()):
            found.append(number.group())
        end = number.end() if unit is None else unit.end()
    return found
