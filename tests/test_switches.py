"""The flags that a converted script gets for its Trainer do what they say, and leave the script alone where they are not given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fixture_cases import case, conversion

from torch2lit.lightning_values import ValueProblem
from torch2lit.options import Options

NAME = "switches-of-a-script-with-flags"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The converted script's run."""
    (folder / "train.py").write_text(conversion(NAME).after)
    command = [sys.executable, "train.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_they_are_spelled_in_one_way() -> None:
    assert Options(switches="profile, Fast_Dev_Run").switches == "fast-dev-run,profile"
    with pytest.raises(ValueProblem, match="fast"):
        Options(switches="profile,fast")


def test_flags_of_the_script_stay_above_them() -> None:
    raw, after = case(NAME).raw, conversion(NAME).after
    flags = [line for line in raw.splitlines() if "add_argument" in line]
    assert [line for line in after.splitlines() if "add_argument(" in line][: len(flags)] == flags


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize(
    ("flag", "epochs", "said"),
    [("--fast-dev-run", 1, ""), ("--barebones", 2, ""), ("--profile", 2, "Profiler Report")],
)
def test_each_does_what_it_says(tmp_path: Path, flag: str, epochs: int, said: str) -> None:
    result = run(tmp_path, flag)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch ") >= epochs and f"epoch {epochs}:" not in result.stdout
    assert said in result.stdout + result.stderr
