"""Programs that nobody would write, and programs that train nothing: no crash, no death of the process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import pytest

from torch2lit.ending import ended_cleanly
from torch2lit.files.prefilter import may_train
from torch2lit.options import Options
from torch2lit.process import process_bytes, process_text
from torch2lit.program import Conversion, Outcome
from torch2lit.stopping import end_if_stopped

SCRIPT = """\
import torch

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 4)), batch_size=4)
{before}
for epoch in range(2):
    for (x,) in loader:
        optimizer.zero_grad()
        loss = model(x).mean()
        {inside}
        loss.backward()
        optimizer.step()
"""


def convert(before: str = "pass", inside: str = "pass") -> Conversion:
    """The conversion of the script with a trap before the loop or inside of it."""
    return process_text(SCRIPT.format(before=before, inside=inside), "script.py", Options())


def elifs(count: int, indent: str = "") -> str:
    """An `if` with many branches."""
    branches = "".join(f"{indent}elif n == {i}:\n{indent}    a = {i}\n" for i in range(1, count))
    return f"n = 3\n{indent}if n == 0:\n{indent}    a = 0\n{branches}"


def functions(depth: int) -> str:
    """Functions in functions."""
    lines = [f"{'    ' * i}def f{i}():" for i in range(depth)]
    return "\n".join([*lines, "    " * depth + "pass"])


CONVERTIBLE = {
    "190 brackets": ("values = " + "[" * 190 + "]" * 190, "pass"),
    "500 elifs": (elifs(500), "pass"),
    "90 functions in functions": (functions(90), "pass"),
    "1,000 assignments to one name": ("total = 0\n" + "total = total + 1\n" * 1000, "pass"),
    "300 chained calls in the loop": ("pass", "y = x" + ".float()" * 300),
    "120 elifs in the loop": ("pass", elifs(120, " " * 8)),
}
TOO_DEEP = {
    "1,500 brackets": "values = " + "[" * 1500 + "]" * 1500,
    "5,000 chained calls": "y = 'a'" + ".strip()" * 5000,
    "20,000 sums": "y = " + " + ".join(["1"] * 20000),
    "3,000 elifs": elifs(3000),
}


@pytest.mark.parametrize("trap", CONVERTIBLE)
def test_odd_programs_are_converted(trap: str) -> None:
    done = convert(*CONVERTIBLE[trap])
    assert done.outcome is Outcome.CONVERTED, done.error or done.findings
    compile(done.after, "script.py", "exec")


@pytest.mark.slow
@pytest.mark.parametrize("trap", TOO_DEEP)
def test_programs_that_are_too_deep_fail_cleanly(trap: str) -> None:
    done = convert(TOO_DEEP[trap])
    assert done.outcome is Outcome.FAILED
    assert "too" in done.error and "nested" in done.error
    assert "internal error" not in done.error
    assert done.after == done.before


@pytest.mark.slow
def test_1000_chained_calls_are_converted() -> None:
    done = convert("y = 'a'" + ".strip()" * 1000)
    assert done.outcome is Outcome.CONVERTED, done.error


@pytest.mark.slow
def test_a_file_of_two_megabytes_is_converted() -> None:
    line = "value_{0} = [{0}, {0}]  # value number {0}, in a long line so that the file grows quickly ----------"
    done = convert("\n".join(line.format(i) for i in range(20_000)))
    assert len(done.before) > 2_000_000
    assert done.outcome is Outcome.CONVERTED, done.error


def test_training_that_stands_in_strings_and_comments_only_is_no_training() -> None:
    text = 'import torch\n\nfor epoch in range(2):\n    print("loss.backward(); optimizer.step()")  # loss.backward()\n'
    assert may_train(text.encode())
    assert process_text(text, "script.py", Options()).outcome is Outcome.UNCHANGED


# Torch's helpers for tests train models in plain functions.
TRAINS_INDEED = {"common_quantization.py", "numeric_utils.py", "reinforcement_learning_rpc_test.py"}


def libraries() -> dict[str, Path]:
    """The standard library, and torch and lightning where they are installed. Nothing is imported."""
    found = {"stdlib": Path(sysconfig.get_paths()["stdlib"])}
    for name in ("torch", "lightning"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            found[name] = Path(spec.origin).parent
    return found


@pytest.mark.slow
@pytest.mark.parametrize("library", libraries())
def test_libraries_stay_as_they_are(library: str) -> None:
    folder = libraries()[library]
    odd = []
    for path in sorted(folder.rglob("*.py")):
        if library == "stdlib" and "site-packages" in path.parts:
            continue
        data = path.read_bytes()
        if may_train(data):
            done = process_bytes(data, path.as_posix(), Options()).conversion
            # Torch's own tests train in methods of classes: those are refused.
            trains = done.outcome is Outcome.CONVERTED and path.name in TRAINS_INDEED
            if done.outcome not in (Outcome.UNCHANGED, Outcome.REFUSED) and not trains:
                odd.append(f"{path}: {done.outcome.value} {done.error}")
    assert odd == []


def test_functions_that_return_calls_of_each_other_end() -> None:
    text = (
        "import torch\n"
        "def first(n):\n    return second(n - 1)\n"
        "def second(n):\n    return torch.nn.Linear(2, 1) if n < 0 else first(n)\n"
        "model = first(3)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for epoch in range(2):\n"
        "    loss = model(torch.ones(3, 2)).sum()\n"
        "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n"
    )
    result = process_text(text, "raw.py", Options())
    assert result.outcome is Outcome.CONVERTED, result.error


def test_objects_that_make_each_other_are_looked_at_once() -> None:
    chain = "\n".join("a = a.of(b)\nb = b.of(a)" for _ in range(40))
    text = f"""import torch

a = b = torch.nn.Linear(2, 2)
{chain}
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for x, y in a:
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
"""
    assert process_text(text, "raw.py", Options()).outcome is Outcome.CONVERTED


def test_a_stop_whose_exception_python_drops_still_stops() -> None:
    with pytest.raises(SystemExit) as stopped, ended_cleanly():
        with contextlib.suppress(SystemExit):  # as in code that Python runs around a fork
            signal.raise_signal(signal.SIGTERM)
        end_if_stopped()
        pytest.fail("it went on")
    assert stopped.value.code == 128 + signal.SIGTERM
    with ended_cleanly():
        end_if_stopped()  # an earlier stop is not this one's


STOPPED_WHILE_FORKING = """\
import os, signal, sys
from torch2lit.__main__ import main
os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGTERM))
sys.argv = ["torch2lit", "convert", "-j", "2", "--check", "."]
main()
"""


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="no fork here")
def test_a_stop_while_processes_are_made_is_heard_behind_that(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"train_{number}.py").write_text(SCRIPT.format(before="", inside="pass"))
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_WHILE_FORKING], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, "", "")
