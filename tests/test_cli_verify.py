"""The verify command: what it hands on and how it ends."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPT, Invoke

import torch2lit.verify
from torch2lit.options import Options


@dataclass
class Answer:
    passed: bool
    exit_code: int

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
            "timeout": 600.0,
            "processes": None,
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
