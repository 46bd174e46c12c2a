"""The verify command: what it hands on and how it ends."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPT, Invoke

import torch2lit.verify
import torch2lit.verify.several
from torch2lit.cache import cache_folder
from torch2lit.options import Options
from torch2lit.verify.kept import KeptResults
from torch2lit.verify.progress import quiet


@dataclass
class Answer:
    passed: bool
    exit_code: int

    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed}

    def render(self, color: bool) -> str:
        return f"passed: {self.passed}, color: {color}"


@pytest.fixture
def calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put a verifier that only notes its arguments in place of the real one."""
    (folder / "raw.py").write_text(SCRIPT)
    (folder / "lit.py").write_text(SCRIPT)
    made: list[dict[str, Any]] = []

    def verify(raw: Path, converted: Path | None, arguments: tuple[str, ...], **more: Any) -> Answer:
        made.append({"raw": raw, "converted": converted, "arguments": tuple(arguments), **more})
        if "--differs" in arguments:
            return Answer(False, 1)
        if "--refused" in arguments:
            raise torch2lit.verify.VerifyError("raw.py is refused")
        return Answer(True, 0)

    monkeypatch.setattr(torch2lit.verify, "verify", verify)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    return made


def test_defaults(invoke: Invoke, calls: list[dict[str, Any]]) -> None:
    result = invoke("verify", "raw.py")

    assert (result.exit_code, result.stdout) == (0, "passed: True, color: False\n")
    assert calls == [
        {
            "raw": Path("raw.py"),
            "converted": None,
            "arguments": (),
            "options": Options(),
            "steps": None,
            "fast_dev_run": False,
            "resume_at": None,
            "timeout": 600.0,
            "processes": None,
            "python": sys.executable,
            "watch": quiet,
            "synthetic_data": False,
            "results": KeptResults(cache_folder()),
        }
    ]


def test_what_follows_the_dashes_is_the_scripts(invoke: Invoke, calls: list[dict[str, Any]]) -> None:
    invoke("verify", "raw.py", "lit.py", "--steps", "3", "--", "--steps", "5", "--", "x.py", "-h")

    assert calls[0]["converted"] == Path("lit.py")
    assert calls[0]["steps"] == 3
    assert calls[0]["arguments"] == ("--steps", "5", "--", "x.py", "-h")


def test_options_are_handed_on(invoke: Invoke, calls: list[dict[str, Any]]) -> None:
    invoke(
        "verify",
        "raw.py",
        "--precision",
        "16",
        "--fast-dev-run",
        "--timeout",
        "1.5",
        "--target",
        "fabric",
        "--nproc",
        "2",
    )

    assert calls[0]["options"] == Options(precision="16-mixed", target="fabric")
    assert (calls[0]["fast_dev_run"], calls[0]["timeout"], calls[0]["processes"]) == (True, 1.5, 2)


def test_json(invoke: Invoke, calls: list[dict[str, Any]]) -> None:
    assert json.loads(invoke("verify", "raw.py", "--format", "json").stdout) == {"passed": True}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["raw.py"], 0),
        (["raw.py", "--", "--differs"], 1),
        (["raw.py", "--", "--refused"], 123),
        (["--", "raw.py"], 2),
        ([], 2),
        (["missing.py"], 2),
        (["raw.py", "lit.py", "raw.py"], 2),
        (["raw.py", "--steps", "0"], 2),
        (["raw.py", "--timeout", "0"], 2),
        (["raw.py", "--precision", "17"], 2),
        (["."], 2),
    ],
)
def test_exit_codes(invoke: Invoke, calls: list[dict[str, Any]], arguments: list[str], code: int) -> None:
    result = invoke("verify", *arguments)

    assert result.exit_code == code
    assert "Traceback" not in result.output


@pytest.mark.parametrize("missing", [("torch",), ("lightning",), ("torch", "lightning")])
def test_missing_packages_are_named(
    invoke: Invoke, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else name)

    result = invoke("verify", "raw.py")

    assert result.exit_code == 2
    assert " and ".join(missing) in result.stderr
    assert "pip install torch2lit[verify]" in result.stderr
    assert calls == []


def test_another_interpreter_needs_no_packages_here(
    invoke: Invoke, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert invoke("verify", "raw.py", "--python", sys.executable).exit_code == 0
    assert calls[0]["python"] == sys.executable
    assert invoke("verify", "raw.py", "--python", "no-such-python").exit_code == 2


COMMANDS = """\
# two small ones
raw.py --epochs 2
python3 lit.py --name 'a b'   # quoted

torchrun --standalone --nproc_per_node=2 raw.py --differs
python -m torch.distributed.run --nproc-per-node 3 raw.py --refused
"""


def test_a_file_of_commands(invoke: Invoke, calls: list[dict[str, Any]], folder: Path) -> None:
    (folder / "runs.txt").write_text(COMMANDS, encoding="utf-8")
    result = invoke("verify", "--commands", "runs.txt", "--steps", "3")

    assert [(c["raw"].name, c["arguments"], c["processes"], c["steps"]) for c in calls] == [
        ("raw.py", ("--epochs", "2"), None, 3),
        ("lit.py", ("--name", "a b"), None, 3),
        ("raw.py", ("--differs",), 2, 3),
        ("raw.py", ("--refused",), 3, 3),
    ]
    assert result.exit_code == 1
    assert "raw.py --epochs 2 (runs.txt:2)\n" in result.stdout
    assert "raw.py is refused" in result.stdout
    assert result.stdout.endswith("2 of 4 passed\n")
    data = json.loads(invoke("verify", "--commands", "runs.txt", "--format", "json").stdout)
    assert data["passed"] is False
    assert [(c["line"], c["passed"]) for c in data["commands"]] == [(2, True), (3, True), (5, False), (6, False)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "runs.txt has no command"),
        ("raw.py\nmissing.py", "runs.txt:2: missing.py is not a file"),
        ("echo 1", "runs.txt:1: echo is not a script or a notebook"),
        ("python", "runs.txt:1: nothing is not a script or a notebook"),
        ("raw.py 'x", "runs.txt:1: No closing quotation"),
        ("torchrun --nproc_per_node gpu raw.py", "runs.txt:1: --nproc_per_node is no number of processes: gpu"),
        ("torchrun --nnodes 2 raw.py", "runs.txt:1: verify starts the processes of one machine only"),
    ],
)
def test_wrong_commands_are_told_before_any_run(
    invoke: Invoke, calls: list[dict[str, Any]], folder: Path, text: str, reason: str
) -> None:
    (folder / "runs.txt").write_text(text, encoding="utf-8")
    result = invoke("verify", "--commands", "runs.txt")

    assert (result.exit_code, calls) == (2, [])
    assert reason in " ".join(result.stderr.split())


@pytest.mark.parametrize("more", [["raw.py"], ["--nproc", "2"], ["--report", "x.html"], ["--", "--epochs", "2"]])
def test_commands_say_all_of_it(invoke: Invoke, calls: list[dict[str, Any]], folder: Path, more: list[str]) -> None:
    (folder / "runs.txt").write_text("raw.py", encoding="utf-8")

    assert (invoke("verify", "--commands", "runs.txt", *more).exit_code, calls) == (2, [])


@pytest.mark.parametrize(
    ("given", "several"),
    [
        (("--devices", "2"), True),
        (("--strategy", "ddp", "--num-nodes", "2"), True),
        (("--devices", "1"), False),
        (("--strategy", "ddp"), False),
        (("--devices", "2", "--nproc", "2"), False),
        (("--devices", "2", "--fast-dev-run"), False),
        (("lit.py", "--devices", "2"), False),
    ],
)
def test_several_devices_compare_the_processes_of_one_conversion(
    invoke: Invoke, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], several: bool
) -> None:
    made = []

    def verify_several(*arguments: object, **_: object) -> Answer:
        made.append(arguments)
        return Answer(True, 0)

    monkeypatch.setattr(torch2lit.verify.several, "verify_several", verify_several)
    assert invoke("verify", "raw.py", *given).exit_code == 0
    assert (len(made), len(calls)) == ((1, 0) if several else (0, 1))


def test_a_script_that_makes_its_processes_is_compared_with_its_conversion(
    invoke: Invoke, calls: list[dict[str, Any]], folder: Path
) -> None:
    (folder / "raw.py").write_text("torch.distributed.init_process_group('gloo')\n")
    assert invoke("verify", "raw.py", "--devices", "2").exit_code == 0
    assert len(calls) == 1


@pytest.mark.parametrize("given", [("--devices", "2", "--report", "page.html")])
def test_processes_have_no_page(invoke: Invoke, calls: list[dict[str, Any]], given: tuple[str, ...]) -> None:
    assert invoke("verify", "raw.py", *given).exit_code == 2


def test_all_devices_are_no_number_of_processes(invoke: Invoke, calls: list[dict[str, Any]]) -> None:
    result = invoke("verify", "raw.py", "--devices", "auto")
    assert result.exit_code == 123 and "--devices 2" in result.stderr
