"""Runs that are forked from a process with torch imported do what runs do that are started, and know nothing of each other."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from torch2lit.options import Options
from torch2lit.verify import forks, verify
from torch2lit.verify.forks import Launcher
from torch2lit.verify.run import Request, Run, environment_of_runs, run_script
from torch2lit.verify.workspace import build

pytestmark = [
    pytest.mark.needs("torch", "lightning"),
    pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux"),
    pytest.mark.xdist_group("forks"),
]
SCRIPT = """
import os, random, sys
import numpy, torch
print(sys.argv, os.getcwd() == os.path.dirname(os.path.abspath(__file__)), os.environ.get("LEFT"), torch.get_default_dtype())
print(random.random(), numpy.random.rand(), torch.rand(1).item(), torch.get_num_threads(), hasattr(torch, "left"), __name__)
print("threads", len(os.listdir("/proc/self/task")), "session", os.getsid(0) == os.getpid(), sys.stdin.read(), hash("word"))
os.environ["LEFT"] = "1"
torch.left = 1
torch.set_default_dtype(torch.float64)
torch.nn.init.left = 1
w = torch.nn.Parameter(torch.randn(3))
optimizer = torch.optim.Adam([w], lr=0.1)
for i in range(4):
    optimizer.zero_grad()
    (w * torch.rand(3)).sum().backward()
    optimizer.step()
print(w.tolist(), file=sys.stderr)
"""


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_OF_ONE_RUN", ("PWD", "PYTEST_CURRENT_TEST"))
    monkeypatch.delenv("PYTHONPATH", raising=False)


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    script = tmp_path_factory.mktemp("quiet") / "script.py"
    script.write_text("import torch\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(forks, "_OF_ONE_RUN", ("PWD", "PYTEST_CURRENT_TEST"))
        patched.delenv("PYTHONPATH", raising=False)
        with Launcher(sys.executable, environment_of_runs(), [script]) as begun:
            yield begun


def go(tmp_path: Path, text: str, launcher: Launcher | None, name: str, timeout: float = 120.0) -> Run:
    folder = tmp_path / "project"
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(text)
    mirror = tmp_path / name
    mirror.mkdir()
    workspace = build(mirror, [folder / "train.py"], folder)
    request = Request(folder / "train.py", ("--a", "b c"), timeout=timeout)
    return run_script(workspace, request, tmp_path / f"scratch-{name}", launcher=launcher)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The runs that were forked."""
    made: list[int] = []
    init = forks.Forked.__init__

    def noted(self: forks.Forked, launcher: Launcher, pid: int) -> None:
        made.append(pid)
        init(self, launcher, pid)

    monkeypatch.setattr(forks.Forked, "__init__", noted)
    return made


def test_a_forked_run_is_a_started_one(tmp_path: Path, launcher: Launcher, forked: list[int]) -> None:
    started = go(tmp_path, SCRIPT, None, "started")
    first, second = (go(tmp_path, SCRIPT, launcher, name) for name in ("first", "second"))

    assert len(forked) == 2
    assert started.returncode == first.returncode == second.returncode == 0, first.stderr
    assert started.stdout == first.stdout == second.stdout
    assert started.stderr == first.stderr == second.stderr
    assert len(started.trace.steps) == 4
    for one in (first, second):
        assert (one.trace.steps, one.trace.backwards) == (started.trace.steps, started.trace.backwards)
        assert (one.trace.facts, one.trace.names) == (started.trace.facts, started.trace.names)
        assert one.trace.ended == "exit"


def test_ends_are_those_of_a_started_one(tmp_path: Path, launcher: Launcher, forked: list[int]) -> None:
    assert go(tmp_path, "raise SystemExit(3)\n", launcher, "exit").returncode == 3
    assert "boom" in go(tmp_path, "raise ValueError('boom')\n", launcher, "raise").stderr
    assert go(tmp_path, "import os\nos.kill(os.getpid(), 11)\n", launcher, "signal").returncode == -11
    assert len(forked) == 3


def test_a_forked_run_ends_in_time_with_all_that_it_started(
    tmp_path: Path, launcher: Launcher, forked: list[int]
) -> None:
    text = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\nprint('here', flush=True)\ntime.sleep(600)\n"

    late = go(tmp_path, text, launcher, "late", timeout=4.0)

    assert (late.timed_out, late.stdout) == (True, "here\n")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(forked[0]):
        time.sleep(0.05)
    assert not _alive(forked[0])


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_another_environment_is_started(
    tmp_path: Path, launcher: Launcher, forked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTOR", "2")

    assert go(tmp_path, "print(1)\n", launcher, "other").stdout == "1\n"
    assert forked == []


def test_without_the_process_runs_are_started(
    tmp_path: Path, forked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.py").write_text("")
    with Launcher(sys.executable, environment_of_runs(), [tmp_path / "script.py"]) as gone:
        assert gone._process is not None
        os.kill(gone._process.pid, signal.SIGKILL)
        assert go(tmp_path, "print(1)\n", gone, "gone").stdout == "1\n"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Launcher(sys.executable, environment_of_runs(), []) as none:
        assert none._process is None
    assert forked == []


def test_what_torch_imports_later_waits_where_a_project_tells_torch_something(
    tmp_path: Path, forked: list[int]
) -> None:
    told = "import sys\nimport torch\nprint('torch._dynamo' in sys.modules)\n"
    (tmp_path / "script.py").write_text("import os\nos.environ['TORCHDYNAMO_DISABLE'] = '1'\n")
    with Launcher(sys.executable, environment_of_runs(), [tmp_path / "script.py"]) as begun:
        assert go(tmp_path, told, begun, "later").stdout == "False\n"
    assert len(forked) == 1


def test_verify_forks(tmp_path: Path, forked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("raw.py", "converted.py"):
        (folder / name).write_text(SCRIPT)
    monkeypatch.chdir(folder)

    result = verify(folder / "raw.py", folder / "converted.py", (), options=Options())

    assert result.status == "identical", result.render()
    assert result.raw is not None and result.converted is not None
    assert result.raw.stdout.replace("raw.py", "converted.py") == result.converted.stdout
    assert len(forked) == 2
