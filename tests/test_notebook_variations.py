"""Notebooks of many shapes: converted, they run in an IPython shell to the same outputs, errors and weights."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from notebook_variations import VARIATIONS

from torch2lit.options import Options
from torch2lit.process import process_text
from torch2lit.program import Conversion, Outcome

_TIMES = re.compile(r"(?m)^.*(CPU times|Wall time|per loop|mean ±|\x1b).*\n?|^Out\[\d+\]: ")
REFUSED = {"shell-in-loop", "store-loop-state"}
"""Their magic lines read what the loop keeps in the module."""


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """What a magic line such as ``%env`` sets is gone behind the test."""
    with patch.dict(os.environ):
        yield


def notebook(cells: list[str]) -> str:
    made = [
        {
            "cell_type": "code",
            "execution_count": number,
            "id": f"c{number}",
            "metadata": {"tags": [str(number)]},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": [f"old {number}\n"]}],
            "source": cell.splitlines(keepends=True),
        }
        for number, cell in enumerate(cells)
    ]
    metadata = {"kernelspec": {"name": "python3", "language": "python"}}
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def conversion(name: str) -> Conversion:
    return process_text(notebook(VARIATIONS[name]), "raw.ipynb", Options())


def sources(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


def without_sources(text: str) -> list[dict[str, Any]]:
    return [{**cell, "source": None} for cell in json.loads(text)["cells"]]


@pytest.mark.parametrize("name", VARIATIONS)
def test_only_sources_change_and_only_once(name: str) -> None:
    result = conversion(name)
    assert (result.outcome is Outcome.REFUSED) is (name in REFUSED), result
    assert result.outcome in (Outcome.CONVERTED, Outcome.REFUSED), result.error
    assert without_sources(result.after) == without_sources(result.before)
    assert "t2l-" not in result.after
    assert not any("t2l-" in f.message for f in result.findings)
    if result.outcome is Outcome.CONVERTED:
        again = process_text(result.after, "raw.ipynb", Options())
        assert (again.outcome, again.after) == (Outcome.UNCHANGED, result.after)


@pytest.mark.parametrize("name", VARIATIONS)
def test_cell_magics_stay_on_top(name: str) -> None:
    result = conversion(name)
    for before, after in zip(sources(result.before), sources(result.after), strict=True):
        if before.startswith("%%"):
            assert after.splitlines()[0] == before.splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in VARIATIONS if n not in REFUSED])
def test_a_shell_sees_no_difference(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    pytest.importorskip("IPython")
    monkeypatch.chdir(tmp_path)
    result = conversion(name)
    raw, lit = ran(result.before), ran(result.after)
    assert lit[:2] == raw[:2]
    assert raw[2] and {n: lit[2].get(n) for n in raw[2]} == raw[2]


def ran(text: str) -> tuple[list[str], list[str], dict[str, list[bytes]]]:
    """What the cells printed and displayed, their errors, and the parameters of each module that is left."""
    import torch
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"hist_file": ":memory:"}}))
    torch.manual_seed(123)
    outputs, errors = [], []
    for cell in sources(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            done = shell.run_cell(cell, store_history=True)  # a trailing semicolon is looked up in the history
        outputs.append(_TIMES.sub("", printed.getvalue()))
        if not done.success:
            errors.append(repr(done.error_before_exec or done.error_in_exec))
    modules = {n: m for n, m in shell.user_ns.items() if isinstance(m, torch.nn.Module) and n[:3] not in ("lit", "_")}
    weights = {n: [p.detach().numpy().tobytes() for p in m.parameters()] for n, m in modules.items() if n[0] != "_"}
    InteractiveShell.clear_instance()
    return outputs, errors, weights
