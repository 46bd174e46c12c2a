"""Is a converted training that is stopped and resumed the uninterrupted one? Two more runs, and a comparison of the steps behind the stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from .compare import Comparison, compare
from .events import Trace
from .run import Request, Run


@dataclass(frozen=True, slots=True)
class Resumed:
    """What came of it: the comparison of the uninterrupted steps with the resumed ones, or why there is none."""

    after: int
    comparison: Comparison | None = None
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether the resumed run took the very steps of the uninterrupted one."""
        return self.comparison is not None and self.comparison.identical

    @property
    def told(self) -> str:
        """How it is told to people."""
        epochs = f"{self.after} epoch{'s' if self.after > 1 else ''}"
        if self.comparison is None:
            return f"resumed after {epochs}: {self.problem}"
        steps, first = self.comparison.steps[1], self.comparison.first
        if first is None:
            return f"resumed after {epochs}: the {steps} steps behind it are those of the uninterrupted run"
        return f"resumed after {epochs}: parts from the uninterrupted run at its step {first.step}, by {first.what}"


def resumed(run: Callable[[str, Request], Run], whole: Run, request: Request, after: int, folder: Path) -> Resumed:
    """Stop the converted script after so many epochs, resume it, and compare with the run that was not stopped."""
    request = replace(request, checkpoint=folder / "stopped.ckpt", lightning=("lightning.pytorch", "pytorch_lightning"))
    stopped = run("stopped", replace(request, stop_after=after))
    if not (folder / "stopped.ckpt").exists():
        last = (stopped.stderr.strip().splitlines() or [""])[-1]
        return Resumed(after, problem=f"no checkpoint could be saved there{f' ({last})' if stopped.failed else ''}")
    going_on = run("resumed", request)
    if going_on.failed:
        last = (going_on.stderr.strip().splitlines() or ["no message"])[-1]
        return Resumed(after, problem=f"the resumed run failed ({last})")
    done = len(stopped.trace.steps)
    return Resumed(after, compare(_behind(whole.trace, done), _behind(going_on.trace, 0)))


def _behind(trace: Trace, done: int) -> Trace:
    """What a run did behind some of its steps, without what it saved."""
    losses = trace.steps[done - 1].loss_count if done else 0
    steps = [replace(step, loss_count=step.loss_count - losses) for step in trace.steps[done:]]
    return Trace(backwards=trace.backwards[losses:], steps=steps, names=trace.names, ended=trace.ended)
