"""Runs that their time limit ended: what they had done until then is compared all the same."""

from __future__ import annotations

from dataclasses import replace

from .events import Trace
from .run import Run


def steps_in_time(*runs: Run) -> int:
    """How many optimizer steps every process of the runs had done when a limit ended one of them; 0 when none was reached."""
    if not any(one.timed_out for run in runs for one in run.ranks):
        return 0
    return min(len(one.trace.steps) for run in runs for one in run.ranks)


def cut(run: Run, steps: int) -> Run:
    """The run as if it had been asked for so many optimizer steps, at least 1."""
    first, *peers = [replace(one, trace=_cut(one.trace, steps), timed_out=False, peers=()) for one in run.ranks]
    return replace(first, peers=tuple(peers))


def _cut(trace: Trace, steps: int) -> Trace:
    """The part of a trace up to the end of a step. What has the number of that step was done after it."""
    return replace(
        trace,
        steps=trace.steps[:steps],
        backwards=trace.backwards[: trace.steps[steps - 1].loss_count],
        schedulers=[one for one in trace.schedulers if one.steps < steps],
        saves=[one for one in trace.saves if one.steps < steps],
        modes=[one for one in trace.modes if one.steps < steps],
        loaders=[one for one in trace.loaders if one.steps < steps],
        facts=[one for one in trace.facts if one.steps < steps],
        ended="limit",
    )
