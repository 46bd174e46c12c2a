"""Scripts that were converted for several devices, really run in two processes: no hang, one training, the evaluation of one process."""

from __future__ import annotations

import re

import pytest
from fixture_cases import case, names
from test_distributed import trained

from torch2lit.verify.events import Trace

pytestmark = [pytest.mark.needs("torch", "lightning"), pytest.mark.usefixtures("warm")]
SEVERAL = [
    name
    for name in names()
    if name.startswith("several-devices") and case(name).options.several_processes and "without" not in name
]
_AGAIN = re.compile(r"^again (.*)$", re.M)
_EPOCH = re.compile(r"^epoch \d+: (.*)$", re.M)


def told(trace: Trace) -> list[tuple[object, ...]]:
    """What must be the same in every process: the weights and learning rates after every step, and what schedules were given."""
    steps: list[tuple[object, ...]] = [(s.parameters, s.learning_rates) for s in trace.steps]
    return [*steps, *((s.scheduler, s.steps, s.metric) for s in trace.schedulers)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_processes_are_one_training(name: str) -> None:
    run = trained(name, case(name).converted_file.read_text(encoding="utf-8"), processes=2)
    first, other = run.ranks
    assert told(first.trace) == told(other.trace)
    assert first.trace.steps
    if "fabric" in name:
        return  # prints and files are the script's own affair, and T2L230 says so
    assert not _EPOCH.findall(other.stdout), "printed by every process"
    if "is_global_zero" in case(name).converted_file.read_text(encoding="utf-8"):
        assert not other.trace.saves, "written by every process"
    again = _AGAIN.findall(first.stdout)
    assert not again or again == _EPOCH.findall(first.stdout)[-1:], "the evaluation is not that of one process"
