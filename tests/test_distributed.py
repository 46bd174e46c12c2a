"""Golden cases of several processes: every rank takes the same optimizer steps before and after conversion, bit for bit."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import warm_starts
from fixture_cases import case, names
from fixture_runs import run_by
from proven import unless_proven

from torch2lit.verify.compare import Comparison, compare
from torch2lit.verify.run import Request, Run, run_script
from torch2lit.verify.workspace import build

pytestmark = [
    pytest.mark.needs("torch", "lightning"),
    pytest.mark.usefixtures("warm"),
    pytest.mark.xdist_group("ports"),  # scripts that start their own processes meet at a port that they name
]
DISTRIBUTED = [name for name in names() if case(name).processes is not None]
MISTAKES = [(name, *mistake) for name in DISTRIBUTED for mistake in case(name).mistakes]


def trained(name: str, text: str, processes: int | None = None) -> Run:
    """What every process does when a text runs in place of a case's raw script, in as many processes as the case or the test says."""
    c = case(name)
    processes = c.processes if isinstance(c.processes, int) else processes
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        script, mirror = folder / "work" / "train.py", folder / "mirror"
        script.parent.mkdir()
        mirror.mkdir()
        script.write_text(text, encoding="utf-8")
        workspace = build(mirror, [script], script.parent)
        run = run_script(
            workspace,
            Request(script, c.arguments, timeout=240, processes=processes, nodes=c.options.num_nodes or 1),
            folder / "torch2lit-verify-own",
        )
    assert not run.failed, "\n".join(rank.stderr[-2000:] for rank in run.ranks)
    assert len(run.ranks) == 2
    return run


def run_in(name: str) -> tuple[object, ...]:
    """All that the runs of a case follow from, but for the other script."""
    return (*run_by(case(name)), case(name).processes, case(name).options.num_nodes)


@functools.cache
def raw_run(name: str) -> Run:
    """The run of a raw script, once for all tests."""
    return trained(name, case(name).raw)


def compared(name: str, text: str) -> list[Comparison]:
    """One comparison per process."""
    pairs = zip(raw_run(name).ranks, trained(name, text).ranks, strict=True)
    return [compare(raw.trace, other.trace, raw.stdout, other.stdout) for raw, other in pairs]


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTED)
def test_every_process_trains_the_same(name: str) -> None:
    text = case(name).converted_file.read_text(encoding="utf-8")

    def compare_ranks() -> None:
        for comparison in compared(name, text):
            assert comparison.identical, comparison.first
            assert comparison.decimals_identical, "other numbers were printed"

    unless_proven(name, ("every process", *run_in(name), text), compare_ranks, processes=True)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_would_be_seen(name: str, old: str, new: str) -> None:
    assert case(name).raw.count(old) == 1

    def compare_ranks() -> None:
        assert any(not comparison.identical for comparison in compared(name, case(name).raw.replace(old, new)))

    unless_proven(name, ("a mistake in every process", *run_in(name), old, new), compare_ranks, processes=True)


SPAWNS = """\
import os, sys
import torch
import torch.multiprocessing as mp

os.environ["TOLD"] = "before"
torch.set_default_dtype(torch.float64)


def worker(rank, word):
    main = sys.modules["__main__"]
    print(rank, word, os.environ["TOLD"], sys.argv, os.getcwd(), __name__, main.__file__, os.getppid() == int(word))
    print(torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads(), sorted(n for n in vars(main) if n[:2] != "__"), mp.current_process().name)
    sys.stdout.flush()


if __name__ == "__main__":
    os.chdir("below")
    torch.set_grad_enabled(False)
    mp.spawn(worker, args=(str(os.getpid()),), nprocs=1)
    print("done", torch.get_default_dtype())
"""


@pytest.mark.slow
def test_a_spawned_process_sees_no_difference_when_it_is_forked(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    script = tmp_path / "train.py"
    script.write_text(SPAWNS)
    warm = warm_starts.python(script, "an", "argument")
    environment = dict(warm_starts._plain())
    command = [sys.executable, str(script), "an", "argument"]
    cold = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert len(cold.stdout.splitlines()) == 3, cold.stdout
    told = [re.sub(r"\b\d{3,}\b", "<pid>", run.stdout) for run in (warm, cold)]
    assert told[0] == told[1], warm.stderr


NAMED_BEFORE = """\
import os
import sys

import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn as nn
from torch.distributed import destroy_process_group, init_process_group
from torch.nn.parallel import DistributedDataParallel as DDP


class Held:
    def __init__(self):
        self.model = DDP(nn.Linear(2, 1))


def main(rank):
    os.environ["MASTER_ADDR"] = "localhost"
    os.environ["MASTER_PORT"] = "29411"
    init_process_group("gloo", rank=rank, world_size=2)
    dist.new_group([0, 1])
    held = Held()
    destroy_process_group()
    named = [destroy_process_group is dist.destroy_process_group, init_process_group is dist.init_process_group]
    kept = destroy_process_group.__closure__ is not None and [c.cell_contents for c in destroy_process_group.__closure__]
    groups = sorted(type(group).__name__ for cell in kept or [] if isinstance(cell, list) for group in cell)
    sys.stdout.write(f"{rank} {named[0]} {named[1]} {groups}\\n")  # one piece: two processes write
    sys.stdout.flush()


if __name__ == "__main__":
    mp.spawn(main, nprocs=2)
"""


@pytest.mark.slow
def test_groups_are_kept_by_names_that_a_spawned_process_has_read_before(tmp_path: Path) -> None:
    script, mirror = tmp_path / "work" / "train.py", tmp_path / "mirror"
    script.parent.mkdir()
    mirror.mkdir()
    script.write_text(NAMED_BEFORE, encoding="utf-8")
    run = run_script(
        build(mirror, [script], script.parent), Request(script, timeout=120), tmp_path / "torch2lit-verify-own"
    )
    assert not run.failed, run.stderr[-2000:]
    told = sorted(run.stdout.splitlines())
    assert told == [f"{rank} True True ['ProcessGroup', 'ProcessGroup']" for rank in (0, 1)]
