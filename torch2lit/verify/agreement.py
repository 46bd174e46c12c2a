"""Whether several processes are one training, and whether what they share out and evaluate is what one process would: no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .compare import differing_tensors, same, tensor_name
from .events import Evaluation, Step, Trace

What = Literal["learning rate", "parameters", "optimizer", "schedule", "steps"]


@dataclass(frozen=True, slots=True)
class Parting:
    """The first thing in which a process parts from the first one; ``first`` and ``other`` are what each had. Steps count from 1."""

    rank: int
    step: int
    what: What
    first: str
    other: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Sharing:
    """What became of the training data in the first pass.

    ``seen``: samples that all processes together took, 0 where none could be seen. ``twice``: those of them that more than one process took and that
    the data has only once, ``padding`` of which are due to equal shares. ``leaked``: those that the first process evaluates on, though
    one process does not. ``alike``: processes whose losses are those of the first one in every step.
    """

    seen: int = 0
    shared: bool = False
    twice: int = 0
    padding: int = 0
    leaked: int = 0
    alike: tuple[int, ...] = ()

    @property
    def right(self) -> bool:
        """Whether every process trains on a part of its own, and on nothing that is held back."""
        return not self.alike and not self.leaked and self.twice <= self.padding


@dataclass(frozen=True, slots=True)
class OtherNumber:
    """A number of an evaluation that is another one in one process with the same weights; evaluations count from 1."""

    evaluation: int
    step: int
    name: str
    several: float
    one: float


def parting(traces: Sequence[Trace]) -> Parting | None:
    """The first thing in which any process parts from the first one."""
    found = [p for rank, trace in enumerate(traces[1:], start=1) if (p := _first(traces[0], trace, rank)) is not None]
    return min(found, key=lambda p: (p.step, p.rank), default=None)


def sharing(traces: Sequence[Trace], alone: Trace | None) -> Sharing:
    """What became of the training data. ``alone`` is a run in one process, None when there is none to compare with."""
    alike = tuple(rank for rank, trace in enumerate(traces) if rank and _same_losses(traces[0], trace))
    taken = [set(_samples(trace, evaluating=False)) for trace in traces]
    seen = set().union(*taken)
    shared = any(batch.shared and not batch.evaluating for batch in traces[0].samples)
    if alone is None or not seen:
        return Sharing(len(seen), shared, alike=alike)
    once = Counter(_samples(alone, evaluating=False))
    by = Counter(sample for one in taken for sample in one)
    twice = sum(number > 1 and once[sample] < 2 for sample, number in by.items()) if shared else 0
    held_back = set(_samples(traces[0], evaluating=True)) - set(once)
    return Sharing(len(seen), shared, twice, len(traces) - 1, len(seen & held_back), alike)


def other_numbers(several: Sequence[Evaluation], one: Sequence[Evaluation]) -> list[OtherNumber]:
    """The numbers of the first evaluation that is not that of one process with the same weights."""
    for number, (a, b) in enumerate(zip(several, one, strict=False), start=1):
        names = [name for name in a.numbers if name in b.numbers and not same(a.numbers[name], b.numbers[name])]
        if names:
            return [OtherNumber(number, a.steps, name, a.numbers[name], b.numbers[name]) for name in names]
    return []


def compared_numbers(several: Sequence[Evaluation], one: Sequence[Evaluation]) -> tuple[str, ...]:
    """The names of the numbers that both have."""
    pairs = zip(several, one, strict=False)
    return tuple(dict.fromkeys(name for a, b in pairs for name in a.numbers if name in b.numbers))


def _first(first: Trace, other: Trace, rank: int) -> Parting | None:
    found = [_schedule(first, other, rank), _steps(first, other, rank)]
    return min((p for p in found if p is not None), key=lambda p: p.step, default=None)


def _steps(first: Trace, other: Trace, rank: int) -> Parting | None:
    for number, (a, b) in enumerate(zip(first.steps, other.steps, strict=False), start=1):
        if a.optimizer != b.optimizer:
            return Parting(rank, number, "optimizer", a.optimizer, b.optimizer)
        if len(a.learning_rates) != len(b.learning_rates) or not all(map(same, a.learning_rates, b.learning_rates)):
            return Parting(rank, number, "learning rate", _rates(a), _rates(b))
        if a.parameters != b.parameters:
            return _parameters(first, a, b, number, rank)
    if len(first.steps) != len(other.steps):
        step = min(len(first.steps), len(other.steps)) + 1
        return Parting(rank, step, "steps", str(len(first.steps)), str(len(other.steps)))
    return None


def _parameters(trace: Trace, a: Step, b: Step, number: int, rank: int) -> Parting:
    different = differing_tensors(a, b)
    if not different:
        return Parting(rank, number, "parameters", a.parameters[:12], b.parameters[:12])
    x, y = a.tensors[different[0]], b.tensors[different[0]]
    where = f"{len(different)} of {len(a.tensors)} tensors, first {tensor_name(trace, a.optimizer, different[0])}"
    return Parting(rank, number, "parameters", f"norm {x.norm!r}", f"norm {y.norm!r}", where)


def _schedule(first: Trace, other: Trace, rank: int) -> Parting | None:
    """The first number that a schedule is given in one process and not in the other."""
    for a, b in zip(first.schedulers, other.schedulers, strict=False):
        if a.metric is not None and b.metric is not None and not same(a.metric, b.metric):
            return Parting(rank, a.steps + 1, "schedule", repr(a.metric), repr(b.metric), a.scheduler)
    return None


def _same_losses(first: Trace, other: Trace) -> bool:
    """Whether two processes compute the same in every step, so that one of them is for nothing."""
    return (
        len(first.losses) > 1 and len(first.losses) == len(other.losses) and all(map(same, first.losses, other.losses))
    )


def _samples(trace: Trace, *, evaluating: bool) -> Iterable[str]:
    return (sample for batch in trace.samples if batch.evaluating is evaluating for sample in batch.digests)


def _rates(step: Step) -> str:
    return ", ".join(map(repr, step.learning_rates))
