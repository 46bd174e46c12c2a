"""Several processes of one training: what they are told, and what is told of them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from torch2lit.options import Options
from torch2lit.verify import groups, verify
from torch2lit.verify.ground import missing_ground
from torch2lit.verify.ranks import rank_arguments, rank_environments
from torch2lit.verify.run import Request, Run, run_script
from torch2lit.verify.workspace import build

pytestmark = pytest.mark.usefixtures("warm")
needs_torch = pytest.mark.skipif(find_spec("torch") is None or find_spec("lightning") is None, reason="needs torch")


def test_one_process_has_an_environment_of_its_own_only_when_asked_for() -> None:
    assert rank_environments(None) == [{}]
    (alone,) = rank_environments(1)
    assert (alone["RANK"], alone["WORLD_SIZE"]) == ("0", "1")


def test_every_rank_knows_its_number_and_where_to_meet() -> None:
    first, second = rank_environments(2)
    assert [first["RANK"], second["RANK"]] == ["0", "1"]
    assert [first["LOCAL_RANK"], second["LOCAL_RANK"]] == ["0", "1"]
    assert first["LOCAL_WORLD_SIZE"] == second["WORLD_SIZE"] == "2"
    assert first["GROUP_WORLD_SIZE"] == "1"
    assert first["MASTER_PORT"] == second["MASTER_PORT"]


def test_numbers_are_filled_into_arguments() -> None:
    environment = rank_environments(2)[1]
    assert rank_arguments(["--local_rank={local_rank}", "{world_size}", "{rank}x"], environment) == [
        "--local_rank=1",
        "2",
        "1x",
    ]
    assert rank_arguments(["{rank}"], {}) == ["{rank}"]


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("ValueError: ... environment variable RANK expected, but not set", "--nproc 2"),
        ("KeyError: 'LOCAL_RANK'", "--nproc 2"),
        ("RuntimeError: Distributed package doesn't have NCCL built in", "needs a GPU"),
        ("AssertionError: Torch not compiled with CUDA enabled", "needs a GPU"),
        ("ZeroDivisionError: division by zero", ""),
    ],
)
def test_what_a_failed_run_would_need(last: str, told: str) -> None:
    found = missing_ground(f"Traceback\n{last}\n", None)
    assert told in found if told else found == ""


def test_with_processes_nothing_says_to_start_them() -> None:
    assert missing_ground("KeyError: 'LOCAL_RANK'", 2) == ""


@pytest.mark.slow
@needs_torch
def test_a_rank_that_breaks_is_told_and_the_others_do_not_wait_forever(tmp_path: Path) -> None:
    script = tmp_path / "raw.py"
    script.write_text(
        "import os, time\nimport torch\nif os.environ['RANK'] == '1':\n    raise ValueError('rank one is lost')\n"
        "time.sleep(100)\n"
    )
    result = verify(script, script, (), options=Options(), processes=2, timeout=60)
    assert result.status == "failed"
    assert "exit status 1 after 0 optimizer steps of rank 1" in result.problem
    assert "rank one is lost" in result.render()


@pytest.mark.slow
@needs_torch
def test_the_rank_that_parts_is_named(tmp_path: Path) -> None:
    text = (
        "import os, torch\n"
        "w = torch.nn.Parameter(torch.ones(2))\n"
        "optimizer = torch.optim.SGD([w], lr=0.1)\n"
        "for i in range(3):\n"
        "    loss = (w * w).sum() * FACTOR\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
    )
    raw, other = tmp_path / "raw.py", tmp_path / "other.py"
    raw.write_text(text.replace("FACTOR", "1"))
    other.write_text(text.replace("FACTOR", "(1 + (os.environ['RANK'] == '1'))"))
    result = verify(raw, other, (), options=Options(), processes=2)
    assert (result.status, result.parted) == ("differs", 1)
    assert "rank 0: 3 steps · losses identical" in result.render()
    assert "rank 1 parts at step 1" in result.render()
    assert [rank.identical for rank in result.ranks] == [True, False]
    assert len(result.to_dict()["ranks"]) == 2


_MEETING = """import torch
import torch.distributed as dist

for part in range(2):
    dist.init_process_group("gloo")
    total = torch.tensor([dist.get_rank() + 1.0])
    dist.all_reduce(total)
    print("sum", total.item(), flush=True)
    dist.destroy_process_group()
    assert not dist.is_initialized()
"""


def _run_in_two(tmp_path: Path, text: str, timeout: float = 60.0) -> Run:
    script = tmp_path / "work" / "train.py"
    script.parent.mkdir()
    script.write_text(text)
    workspace = build(tmp_path / "mirror", [script], script.parent)
    return run_script(workspace, Request(script, (), timeout=timeout, processes=2), tmp_path / "torch2lit-verify-own")


@pytest.mark.slow
@needs_torch
def test_groups_that_are_destroyed_can_be_made_anew(tmp_path: Path) -> None:
    text = "import atexit\natexit.register(print, 'left')\nkept = open('kept.txt', 'w')\nkept.write('all')\n" + _MEETING
    run = _run_in_two(tmp_path, text)
    assert not run.failed
    for rank in run.ranks:
        assert rank.stdout.split("\n") == ["sum 3.0", "sum 3.0", "left", ""], rank.stderr
    assert (tmp_path / "mirror").is_dir()
    assert [file.read_text() for file in (tmp_path / "mirror").rglob("kept.txt")] == ["all"]


@pytest.mark.slow
@needs_torch
def test_a_process_that_waits_for_ever_says_where(tmp_path: Path) -> None:
    text = "import os\nimport time\n\n\ndef late():\n    time.sleep(100 * int(os.environ['RANK']))\n\n\nlate()\n"
    first, second = _run_in_two(tmp_path, text, timeout=8.0).ranks
    assert second.timed_out
    assert 'train.py", line 6 in late' in second.stderr
    assert "in late" not in first.stderr


GROUP = """\
import gc, runpy, sys, weakref
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
model = DDP(torch.nn.Linear(2, 1))
model.itself = [model]
model(torch.ones(3, 2)).sum().backward()
reducer = weakref.ref(model.reducer)
if "destroyed" in sys.argv:
    dist.destroy_process_group()
if "own" not in sys.argv:
    runpy.run_path(sys.argv[1])["keep_groups"]()
del model
gc.collect()
print("kept" if reducer() is not None else "gone")
"""


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [((), {}, "kept"), (("destroyed",), {"WORLD_SIZE": "1"}, "kept"), (("own",), {}, "gone")],
)
def test_no_collector_destroys_a_process_group(
    arguments: tuple[str, ...], variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    """Its destructor joins a thread that may wait for the lock that the collector holds: the process would never end."""
    import warm_starts

    script = tmp_path / "train.py"
    script.write_text(GROUP)
    done = warm_starts.python(script, str(groups.__file__), *arguments, **variables)
    assert done.stdout == f"{told}\n", done.stderr
