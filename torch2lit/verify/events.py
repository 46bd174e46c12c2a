"""What a run told: plain data and its JSON lines, without torch.

The child process writes one event per line as it happens, so that a run which crashes or is stopped
still tells everything up to that point.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

End = Literal["", "limit", "exit", "error"]


@dataclass(frozen=True, slots=True)
class Backward:
    """One `backward()` of a scalar.

    ``steps`` optimizer steps were done before it; ``rng`` is a digest of torch's global random state and
    ``batches`` counts the batches which data loaders had handed out by then.
    """

    loss: float
    steps: int
    rng: str
    batches: int


@dataclass(frozen=True, slots=True)
class TensorFact:
    """A parameter after a step: enough to tell which one differs and roughly by how much."""

    sha1: str
    norm: float
    max_abs: float


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step that had at least one gradient.

    ``optimizer`` is the class and the ordinal of first use (``Adam#0``), ``parameters`` the sha1 of all its
    parameters after the step, ``loss_count`` the number of losses recorded before it. ``gradient_norm``
    is the 2-norm over all gradients as the optimizer saw them. ``training`` is (modules in training mode,
    modules) of the models that own the parameters. ``cleared`` counts the calls of `zero_grad` since the step before.
    ``tensors`` is filled for the first steps only. ``seconds`` went by since the step before, without what recording that one
    took; 0.0 for the first.
    """

    optimizer: str
    learning_rates: tuple[float, ...]
    parameters: str
    loss_count: int
    gradient_norm: float = 0.0
    training: tuple[int, int] = (0, 0)
    tensors: tuple[TensorFact, ...] = ()
    cleared: int = 0
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class SchedulerStep:
    """One `step()` of a learning-rate scheduler, after ``steps`` optimizer steps.

    ``metric`` is the number that a plateau scheduler was given, None for all others.
    """

    scheduler: str
    steps: int
    metric: float | None = None


@dataclass(frozen=True, slots=True)
class Save:
    """One `torch.save`: the type of the object, the keys of a dict, and a digest of every tensor in it.

    ``parts`` are digests of the states in it, each by itself; those of a Lightning checkpoint without the name of the module's attribute.
    """

    name: str
    type: str
    keys: tuple[str, ...]
    tensors: str
    steps: int
    parts: tuple[str, ...] = ()

    @property
    def by_lightning(self) -> bool:
        """Whether it is a checkpoint of Lightning's."""
        return "pytorch-lightning_version" in self.keys


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One outermost call of `Module.train(mode)` (`eval()` is `train(False)`)."""

    module: str
    training: bool
    steps: int


@dataclass(frozen=True, slots=True)
class LoaderStart:
    """One `iter()` of a DataLoader: where epochs begin."""

    sampler: str
    steps: int


@dataclass(frozen=True, slots=True)
class Fact:
    """How something is set up: an object as it is when it is first used, after ``steps`` optimizer steps.

    ``kind`` is optimizer, scheduler, loader, model, criterion, trainer or seed; ``name`` its class (of a seed: the
    number), ``settings`` what it was told, as text.
    """

    kind: str
    name: str
    settings: Mapping[str, str]
    steps: int


@dataclass(frozen=True, slots=True)
class Samples:
    """One batch of the first pass over a loader, a digest for each sample. Only recorded of several processes.

    ``evaluating``: gradients were off. ``shared``: the loader's sampler gives every process a part of the data.
    """

    evaluating: bool
    shared: bool
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run of a Trainer's evaluation loop after ``steps`` optimizer steps, with the numbers that it left."""

    steps: int
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that a process other than the first printed while a Trainer was fitting."""

    text: str
    steps: int


@dataclass(slots=True)
class Trace:
    """Everything recorded of one run, in order.

    ``names`` maps an optimizer to the names of its parameters, as far as a model that owns them was found.
    ``batches`` has one digest per batch that a DataLoader handed out. ``ended`` is "" while running or when
    the process was killed.
    """

    backwards: list[Backward] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    schedulers: list[SchedulerStep] = field(default_factory=list)
    saves: list[Save] = field(default_factory=list)
    modes: list[ModeChange] = field(default_factory=list)
    loaders: list[LoaderStart] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    printed: list[Printed] = field(default_factory=list)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    autocast: bool = False
    ended: End = ""

    @property
    def losses(self) -> list[float]:
        """The value of every scalar that `backward()` was called on."""
        return [b.loss for b in self.backwards]

    def last_batch(self, backward: Backward) -> str:
        """The digest of the last batch handed out before a `backward()`, "" when there was none."""
        return self.batches[backward.batches - 1] if 0 < backward.batches <= len(self.batches) else ""

    def of_kind(self, kind: str) -> list[Fact]:
        """All facts of one kind, in the order in which they were met."""
        return [fact for fact in self.facts if fact.kind == kind]

    def add(self, event: object) -> None:
        """Append one event to its list. Raises TypeError for a type that is no event."""
        if isinstance(event, Backward):
            self.backwards.append(event)
        elif isinstance(event, Step):
            self.steps.append(event)
        elif isinstance(event, SchedulerStep):
            self.schedulers.append(event)
        elif isinstance(event, Save):
            self.saves.append(event)
        elif isinstance(event, ModeChange):
            self.modes.append(event)
        elif isinstance(event, LoaderStart):
            self.loaders.append(event)
        elif isinstance(event, Fact):
            self.facts.append(event)
        elif isinstance(event, Samples):
            self.samples.append(event)
        elif isinstance(event, Evaluation):
            self.evaluations.append(event)
        elif isinstance(event, Printed):
            self.printed.append(event)
        else:
            raise TypeError(f"not an event: {type(event).__name__}")


_DATA: dict[str, Callable[..., object]] = {
    c.__name__: c for c in (Backward, SchedulerStep, Save, ModeChange, LoaderStart, Fact, Samples, Evaluation, Printed)
}


def to_line(kind: str, value: Any) -> str:
    """One JSON line. ``kind`` is the class of a data event, or batch, names, autocast, end for the rest."""
    data = asdict(value) if hasattr(value, "__dataclass_fields__") else {"value": value}
    return json.dumps({"event": kind, **data}) + "\n"


def read(lines: Iterable[str]) -> Trace:
    """The trace that these JSON lines tell. A last line that was cut off is left out."""
    trace = Trace()
    for line in lines:
        try:
            data = json.loads(line)
        except ValueError:
            break
        _read_event(trace, data.pop("event"), data)
    return trace


def _read_event(trace: Trace, kind: str, data: Mapping[str, Any]) -> None:
    if kind == "Step":
        facts = tuple(TensorFact(**fact) for fact in data["tensors"])
        lists = {"learning_rates": tuple(data["learning_rates"]), "training": tuple(data["training"])}
        trace.add(Step(**{**data, **lists, "tensors": facts}))
    elif kind == "batch":
        trace.batches.append(data["value"])
    elif kind == "names":
        trace.names.update({key: tuple(names) for key, names in data["value"].items()})
    elif kind == "autocast":
        trace.autocast = True
    elif kind == "end":
        trace.ended = data["value"]
    else:
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
        trace.add(_DATA[kind](**values))
