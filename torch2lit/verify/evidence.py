"""What the rules look at to name a cause: two traces around the point where they part."""

from __future__ import annotations

from dataclasses import dataclass

from .compare import Comparison, Difference, same
from .events import Backward, Step, Trace


@dataclass(frozen=True, slots=True)
class Cause:
    """A likely cause: a short name, why it is suspected, and what to try. Whole sentences for people."""

    name: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at. ``first`` is the first difference and is always there; ``script`` is the converted text."""

    raw: Trace
    converted: Trace
    comparison: Comparison
    first: Difference
    script: str = ""

    @property
    def index(self) -> int:
        """The step of the first difference, from 0."""
        return self.first.step - 1

    @property
    def pair(self) -> tuple[Step, Step] | None:
        """The steps that part, when both runs came that far."""
        if 0 <= self.index < min(self.comparison.steps):
            return self.raw.steps[self.index], self.converted.steps[self.index]
        return None

    @property
    def losses(self) -> tuple[Backward, Backward] | None:
        """The first two `backward()` that part, when a loss differs first."""
        if self.first.what != "loss":
            return None
        pairs = zip(self.raw.backwards, self.converted.backwards, strict=False)
        return next(((a, b) for a, b in pairs if not same(a.loss, b.loss)), None)

    @property
    def at_epoch_start(self) -> bool:
        """Whether the raw run began to read a loader just before the step that parts, after earlier steps."""
        return self.index > 0 and any(loader.steps == self.index for loader in self.raw.loaders)

    @property
    def same_batch(self) -> bool:
        """Whether the losses that part came from the same data."""
        if self.losses is None:
            return False
        a, b = self.losses
        return self.raw.last_batch(a) in self.converted.batches[max(0, b.batches - 2) : b.batches]

    @property
    def same_input(self) -> bool:
        """Whether nothing tells that the losses that part came from other data."""
        return self.losses is not None and (self.same_batch or not self.knows_batches)

    @property
    def knows_batches(self) -> bool:
        """Whether both runs read data loaders before the losses that part."""
        return self.losses is not None and all(backward.batches for backward in self.losses)
