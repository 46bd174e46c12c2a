"""Whole verifications: real scripts in processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import warm_starts
from fixture_runs import import_everything

from torch2lit.options import Options
from torch2lit.verify import VerifyResult, verify
from torch2lit.verify.run import Request, Run, _environment, run_script
from torch2lit.verify.workspace import build

DATA = Path(__file__).parent / "data" / "verify"
RAW = (DATA / "raw.py").read_text(encoding="utf-8")
CONVERTED = (DATA / "converted.py").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("torch") is None or find_spec("lightning") is None, reason="needs torch"),
]

LOOP = """
import torch
w = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([w], lr=0.1)
for i in range(6):
    optimizer.zero_grad()
    loss = (w * w).sum()
    loss.backward()
    optimizer.step()
    print("after", i)
"""


warm = pytest.mark.usefixtures("warm")
"""Of a test that asks what comes of a run. Those that ask how it is started and ended wait for the interpreter."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work" / "project"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, **scripts: str) -> list[Path]:
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return [folder / f"{name}.py" for name in scripts]


def prove(folder: Path, raw: str, converted: str, *arguments: str, **options: object) -> VerifyResult:
    paths = write(folder, raw=raw, converted=converted)
    return verify(paths[0], paths[1], arguments, options=Options(), **options)  # type: ignore[arg-type]


def alone(
    folder: Path,
    text: str,
    *arguments: str,
    steps: int | None = None,
    name: str = "raw.py",
    timeout: float = 120.0,
) -> Run:
    """Run one script as verify does, without comparing it to another."""
    script = folder / name
    script.write_text(text, encoding="utf-8")
    root = folder.parent.parent / "mirror"
    root.mkdir()
    workspace = build(root, [script], Path.cwd())
    return run_script(workspace, Request(script, arguments, steps=steps, timeout=timeout), root.parent / "scratch")


def tree(folder: Path) -> str:
    digest = hashlib.sha1()
    for path in sorted(folder.rglob("*")):
        digest.update(f"{path} {path.lstat().st_mode} {path.lstat().st_mtime_ns}".encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def test_an_identical_pair_passes_and_the_folder_stays_as_it_is(project: Path) -> None:
    write(project, raw=RAW, converted=CONVERTED)
    (project / "last.pt").write_text("of the user", encoding="utf-8")
    before = tree(project.parent)
    result = verify(project / "raw.py", project / "converted.py", ["--epochs", "2"], options=Options())
    assert result.render() == (
        "  10 steps · losses identical · 4 tensors identical · learning rates identical"
        " · saved files identical\n"
        "  PASS  bit-identical (CPU)\n"
    )
    assert result.passed
    assert tree(project.parent) == before


@warm
def test_a_pair_that_differs_tells_the_tensor_and_the_amount(project: Path) -> None:
    broken = CONVERTED.replace("momentum=0.9", "momentum=0.9, weight_decay=0.01")
    result = prove(project, RAW, broken, "--epochs", "1")
    assert (result.status, result.exit_code) == ("differs", 1)
    assert result.comparison is not None
    assert result.comparison.first is not None
    assert (result.comparison.first.what, result.comparison.first.step) == ("parameters", 1)
    assert {name for name, _ in result.tensors} == {"first.weight", "first.bias", "last.weight", "last.bias"}
    assert all(0 < amount < 0.01 for _, amount in result.tensors)
    assert result.causes[0].name == "settings of the optimizer"
    assert json.loads(json.dumps(result.to_dict()))["status"] == "differs"


def test_a_converted_script_that_crashes_shows_its_last_lines(project: Path) -> None:
    result = prove(project, LOOP, LOOP.replace('print("after", i)', "1 / (2 - i)"))
    assert (result.status, result.exit_code) == ("failed", 5)
    assert "The converted run failed with exit status 1 after 3 optimizer steps." in result.render()
    assert "ZeroDivisionError: division by zero" in result.render()
    assert f'"{project}' in result.render()


@warm
def test_a_raw_script_that_crashes_is_not_compared(project: Path) -> None:
    result = prove(project, "import torch\nraise SystemExit('no data')\n", LOOP)
    assert result.status == "failed"
    assert result.converted is None
    assert "no data" in result.render()


@warm
def test_a_script_that_never_steps_proves_nothing(project: Path) -> None:
    result = prove(project, "import torch\n", "import torch\n")
    assert (result.status, result.exit_code, result.converted) == ("failed", 4, None)
    assert result.causes[0].name == "the raw run did not train"
    assert "without an optimizer step" in result.render()


@warm
def test_what_was_done_until_the_time_limit_is_compared(project: Path) -> None:
    """Also what the raw script saves just before it: whether the other one would have is not known."""
    slow = LOOP + "torch.save(w, 'late.pt')\nimport time; time.sleep(99)\n"
    result = prove(project, slow, LOOP, timeout=8.0)
    assert (result.status, result.exit_code, result.cut_after) == ("identical", 0, 6)
    assert "in the first 6 steps" in result.render()
    result = prove(project, slow, LOOP.replace("lr=0.1", "lr=0.2"), timeout=8.0)
    assert (result.status, result.exit_code) == ("differs", 1)


def test_a_run_that_does_not_end_is_stopped_with_all_it_started(project: Path, tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    beating = f"while True: open({str(pulse)!r}, 'a').write('x'); time.sleep(0.1)"
    code = f"import time\n{beating}"
    child = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {code!r}])\n"
    started = time.monotonic()
    result = prove(project, LOOP, LOOP + child + "import time; time.sleep(99)\n", timeout=20.0)
    assert time.monotonic() - started < 60
    assert (result.status, result.exit_code) == ("failed", 5)
    assert "The converted run did not end within its time limit of 20 s, after 6 optimizer steps" in result.render()
    beats = pulse.stat().st_size
    time.sleep(1)
    assert pulse.stat().st_size == beats > 0


@warm
def test_files_outside_of_the_project_are_named(project: Path, tmp_path: Path) -> None:
    target = tmp_path / "results.txt"
    text = f"{LOOP}open({str(target)!r}, 'w').write('x')\n"
    result = prove(project, text, text)
    assert result.status == "identical"
    assert (
        f"note: outside of the project the script writes to the real files, by their full path: {target}"
        in result.render()
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with the one that started it")
def test_a_killed_proof_takes_its_run_with_it(project: Path, tmp_path: Path) -> None:
    number = tmp_path / "number"
    (script,) = write(
        project, raw=f"import os, time\nopen({str(number)!r}, 'w').write(str(os.getpid()))\ntime.sleep(300)\n"
    )
    code = "import sys; from torch2lit.api import verify; verify(sys.argv[1], sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", code, str(script)], cwd=project) as proof:
        _until(lambda: number.exists() and number.read_text(encoding="utf-8") != "")
        run = int(number.read_text(encoding="utf-8"))
        assert _lives(run)
        proof.kill()
    _until(lambda: not _lives(run))


def _lives(process: int) -> bool:
    """Whether a process runs yet; one that has ended may still be listed."""
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def _until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


@warm
@pytest.mark.parametrize("swallow", ["except:\n        pass", "except BaseException:\n        continue"])
def test_steps_end_a_script_that_catches_everything(project: Path, swallow: str) -> None:
    body = "\n".join(f"    {line}" for line in LOOP.split("for i")[1].splitlines()[1:])
    text = LOOP.split("for i")[0] + "i = 0\nwhile True:\n    try:\n" + body + f"\n    {swallow}\n"
    run = alone(project, text, steps=2, timeout=30)
    assert (len(run.trace.steps), run.trace.ended, run.failed) == (2, "limit", False)


@warm
def test_a_quick_run_only_asks_whether_the_converted_script_trains(project: Path) -> None:
    result = prove(project, "raise RuntimeError\n", CONVERTED, fast_dev_run=True)
    assert (result.status, result.exit_code) == ("trains", 0)
    assert result.converted is not None
    assert len(result.converted.trace.steps) == 2
    empty = prove(project, LOOP, "import torch\n", fast_dev_run=True)
    assert (empty.status, empty.exit_code) == ("failed", 5)


@warm
def test_data_beside_the_project_is_found(project: Path) -> None:
    (project.parent / "data").mkdir()
    (project.parent / "data" / "x.txt").write_text("0.5", encoding="utf-8")
    text = LOOP.replace("lr=0.1", "lr=float(open('../data/x.txt').read())")
    text += "torch.save(w, '../data/out.pt')\nopen('../data/x.txt', 'w').write('9')\n"
    before = tree(project.parent / "data")
    run = alone(project, text)
    assert run.trace.steps[0].learning_rates == (0.5,), run.stderr
    assert run.returncode == 0, run.stderr
    assert tree(project.parent / "data") == before


LOOKS = """
import json, os, sys, helper
import __main__, torch
print(json.dumps([sys.argv, __name__, __main__.__file__ == __file__, sys.path[0], os.getcwd(), __file__,
    sorted(name for name in globals() if not name.startswith("__")), os.environ["CUDA_VISIBLE_DEVICES"],
    torch.get_num_threads(), [p for p in sys.path if p.endswith(("verify", "tests"))], sys.flags.hash_randomization,
    os.getpgid(0) == os.getpid(), os.isatty(0), sys.stdout.encoding, sys.stdout.line_buffering]))
"""


@pytest.mark.parametrize("how", ["cold", "warm"])
def test_the_script_finds_itself_started_directly(project: Path, how: str, request: pytest.FixtureRequest) -> None:
    """That it is forked in other tests is nothing it could see."""
    if how == "warm":
        request.getfixturevalue("warm")
    (project / "tools").mkdir()
    write(project / "tools", helper="")
    run = alone(project / "tools", LOOKS, "--flag", "a b")
    assert run.returncode == 0, run.stderr
    argv, name, is_main, first, directory, file, names, devices, threads, *more = json.loads(run.stdout)
    assert argv == [os.path.join("tools", "raw.py"), "--flag", "a b"]
    assert (name, is_main) == ("__main__", True)
    assert (first, directory) == (str(project / "tools"), str(project))
    assert file == str(project / "tools" / "raw.py")
    assert names == ["helper", "json", "os", "sys", "torch"]
    assert (devices, threads) == ("", 1)
    assert more == [[], 0, True, False, "utf-8", False]


@warm
def test_starts_stay_warm_where_a_test_has_trained_in_its_own_process() -> None:
    """torch and Lightning write into the environment when they are imported."""
    import_everything()
    assert not warm_starts.otherwise(_environment(os.environ))


def test_workers_and_pickles_find_the_main_module(project: Path) -> None:
    text = """
import pickle, torch
from torch.utils.data import DataLoader
class Points:
    def __len__(self): return 4
    def __getitem__(self, i): return torch.tensor(float(i))
if __name__ == "__main__":
    assert isinstance(pickle.loads(pickle.dumps(Points())), Points)
    print(sum(float(x) for x in DataLoader(Points(), num_workers=1, multiprocessing_context="spawn")))
"""
    run = alone(project, text)
    assert run.stdout == "6.0\n", run.stderr


@warm
def test_a_notebook_is_run_as_its_code_cells(project: Path) -> None:
    cells = [{"cell_type": "code", "source": ["%matplotlib inline\n", *LOOP.splitlines(keepends=True)]}]
    run = alone(project, json.dumps({"nbformat": 4, "cells": cells}), name="raw.ipynb")
    assert len(run.trace.steps) == 6, run.stderr


@warm
def test_a_notebook_runs_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["from beside import rate\n", *LOOP.replace("lr=0.1", "lr=rate").splitlines(keepends=True)]
    text = json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": lines}]})
    (tmp_path / "beside.py").write_text("rate = 0.25\n")
    (tmp_path / "raw.ipynb").write_text(text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lit.ipynb").write_text(text)
    monkeypatch.chdir(elsewhere)
    result = verify(tmp_path / "raw.ipynb", elsewhere / "lit.ipynb", [], options=Options())
    assert result.passed, result.render()


@warm
def test_the_converted_script_may_lie_elsewhere(project: Path, tmp_path: Path) -> None:
    write(project, helper="rate = 0.25\n", raw=LOOP.replace("lr=0.1", "lr=__import__('helper').rate"))
    other = tmp_path / "elsewhere"
    other.mkdir()
    (script,) = write(other, converted=(project / "raw.py").read_text(encoding="utf-8"))
    result = verify(project / "raw.py", script, [], options=Options())
    assert result.passed, result.render()


@warm
def test_a_script_for_an_older_torch_runs_as_modernised(project: Path) -> None:
    old = LOOP.replace('print("after", i)', "total = loss.data[0]").replace("loss.backward()", "loss.backward()  # old")
    (raw,) = write(project, raw=old + "if w.is_cuda:\n    w.cuda(async=True)\nprint(total)\n")
    text = raw.read_text()
    result = verify(raw, None, (), options=Options())
    assert result.passed, result.problem
    assert "for an older torch" in result.notes[0]
    assert raw.read_text() == text


ASKS = """
import os
rows, columns = os.popen("stty size").read().split()
try:
    input()
except EOFError:
    print("nobody answers", rows, columns)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs stty")
def test_a_script_that_asks_the_terminal_for_its_size_has_one(project: Path) -> None:
    raw, converted = write(project, raw=ASKS + LOOP, converted=ASKS + LOOP.replace("range(6)", "range(5)"))
    same = verify(raw, raw, (), options=Options())
    assert same.status == "identical", same.render()
    assert same.raw is not None and "nobody answers 24 80" in same.raw.stdout
    assert verify(raw, converted, (), options=Options()).status == "differs"


def test_only_scripts_that_ask_for_a_terminal_have_one(project: Path) -> None:
    from torch2lit.verify.terminals import ask_for_terminal

    (script,) = write(project, raw=LOOP)
    assert not ask_for_terminal([script])
    write(project, utils=ASKS)
    assert ask_for_terminal([script]) is (os.name == "posix")
