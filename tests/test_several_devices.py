"""Scripts that were converted for several devices, really run in two processes: no hang, one training, the evaluation of one process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import warm_starts
from fixture_cases import case, names
from proven import unless_proven
from test_distributed import run_in, trained

from torch2lit.options import Options
from torch2lit.verify.events import Trace
from torch2lit.verify.ranks import rank_environments
from torch2lit.verify.several import verify_several

pytestmark = [pytest.mark.needs("torch", "lightning"), pytest.mark.usefixtures("warm")]
SEVERAL = [
    name
    for name in names()
    if name.startswith("several-devices") and case(name).options.several_processes and "without" not in name
] + ["batch-source-on-several-devices"]
_AGAIN = re.compile(r"^again (.*)$", re.M)
_EPOCH = re.compile(r"^epoch \d+: (.*)$", re.M)


def told(trace: Trace) -> list[tuple[object, ...]]:
    """What must be the same in every process: the weights and learning rates after every step, and what schedules were given."""
    steps: list[tuple[object, ...]] = [(s.parameters, s.learning_rates) for s in trace.steps]
    return [*steps, *((s.scheduler, s.steps, s.metric) for s in trace.schedulers)]


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
def test_processes_are_one_training(name: str) -> None:
    text = case(name).converted_file.read_text(encoding="utf-8")
    unless_proven(name, ("one training", *run_in(name), text), lambda: _are_one_training(name, text), processes=True)


def _are_one_training(name: str, text: str) -> None:
    run = trained(name, text, processes=2)
    first, other = run.ranks
    assert told(first.trace) == told(other.trace)
    assert first.trace.steps
    if "fabric" in name:
        return  # prints and files are the script's own affair, and T2L230 says so
    assert not _EPOCH.findall(other.stdout), "printed by every process"
    if "is_global_zero" in text:
        assert not other.trace.saves, "written by every process"
    again = _AGAIN.findall(first.stdout)
    assert not again or again == _EPOCH.findall(first.stdout)[-1:], "the evaluation is not that of one process"


@pytest.mark.slow
def test_training_goes_on_in_every_process(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(case("several-devices-that-go-on").converted_file.read_text("utf-8"), "utf-8")
    told = []
    for epochs in ("2", "4"):
        ends = warm_starts.side_by_side(script, "--epochs", epochs, variables=rank_environments(2), timeout=200)
        assert all(one.returncode <= 0 for one in ends), ends[0].stderr[-3000:]  # gloo may abort at the very end
        told.append([re.findall(r"^epoch (\d+)", one.stdout, re.M) for one in ends])
    assert told == [[["0", "1"], []], [["2", "3"], []]]


@pytest.mark.slow
def test_lightning_starts_the_other_process_itself(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(case("several-devices").converted_file.read_text("utf-8"), "utf-8")
    own = {"GLOO_SOCKET_IFNAME": "lo", "CUDA_VISIBLE_DEVICES": ""} if sys.platform == "linux" else {}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode in (0, -6, 134), done.stderr[-3000:]
    assert "MEMBER: 2/2" in done.stderr
    epochs = re.findall(r"^epoch (\d+)", done.stdout, re.M)
    assert epochs == [str(n) for n in range(len(epochs))] and epochs, "printed by every process"
    assert set(_AGAIN.findall(done.stdout)) == {_EPOCH.findall(done.stdout)[-1]}
    assert (tmp_path / "best.pt").exists()


EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.needs("sklearn")
@pytest.mark.parametrize("example", EXAMPLES, ids=[one.stem for one in EXAMPLES])
def test_an_example_is_one_training_with_the_evaluation_of_one_process(example: Path) -> None:
    options = Options(accelerator="cpu", devices="2", strategy="ddp")
    result = verify_several(example, (), options=options, python=sys.executable, timeout=900)
    assert result.evaluations and not result.others and result.parting is None, result
