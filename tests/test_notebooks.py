"""Golden notebooks convert as their folders say, and a real kernel runs them to the same outputs and weights."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import warm_starts
from fixture_cases import FIXTURES, digest
from notebook_cases import EXPECTED, FINDINGS, cells, converted, copy_of, notebook_names, without_code

from torch2lit.api import convert, verify
from torch2lit.options import Options
from torch2lit.program import Outcome

NAMES = notebook_names()
WEIGHTS = """\
import hashlib as _hashlib
{n: _hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in m.state_dict().values())).hexdigest()
 for n, m in sorted(globals().items()) if isinstance(m, torch.nn.Module) and n[0] != "_"}
"""
_TIMES = re.compile(r"^(CPU times|Wall time|[\d.]+ [mµun]?s ±).*\n", re.MULTILINE)


def test_there_are_notebooks() -> None:
    assert len(NAMES) >= 3, FIXTURES


@pytest.mark.parametrize("name", NAMES)
def test_notebook(name: str, tmp_path: Path) -> None:
    notebook = copy_of(name, tmp_path)
    conversion = converted(notebook)
    assert notebook.read_bytes() == (FIXTURES / name / EXPECTED).read_bytes()
    assert digest(conversion) == (FIXTURES / name / FINDINGS).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_code_changes(name: str, tmp_path: Path) -> None:
    notebook = copy_of(name, tmp_path)
    beside = {p: p.read_bytes() for p in notebook.parent.rglob("*.py")}
    raw = notebook.read_text("utf-8")
    after = converted(notebook).after
    assert without_code(after) == without_code(raw)
    assert raw != after
    assert {p: p.read_bytes() for p in notebook.parent.rglob("*.py")} == beside


@pytest.mark.parametrize("name", NAMES)
def test_a_second_conversion_changes_nothing(name: str, tmp_path: Path) -> None:
    notebook = copy_of(name, tmp_path)
    converted(notebook)
    first = notebook.read_bytes()
    (again,) = convert(notebook, write=True)
    assert (again.outcome, notebook.read_bytes()) == (Outcome.UNCHANGED, first)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", NAMES)
def test_verify_says_identical(name: str, tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    result = verify(copy_of(name, tmp_path), options=Options())
    assert result.status == "identical", result.render(False)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", NAMES)
def test_a_real_kernel_sees_no_difference(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    pytest.importorskip("ipykernel")
    if hasattr(os, "fork") and name != NAMES[0]:  # of which the kernels start as they do for users
        local = pytest.importorskip("jupyter_client.provisioning.local_provisioner")
        monkeypatch.setattr(local, "launch_kernel", warm_starts.kernel)
    notebook = copy_of(name, tmp_path)
    raw = executed(notebook)
    converted(notebook)
    lit = executed(notebook)
    assert shown(lit) == shown(raw)
    before, after = weights(raw), weights(lit)
    assert before and {name: after.get(name) for name in before} == before


def executed(notebook: Path) -> list[dict[str, Any]]:
    """The cells of a notebook after a fresh kernel ran them all, and one more that tells of the weights."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    given = json.loads(notebook.read_text("utf-8"))
    extra: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
        "source": WEIGHTS,
    }
    given["cells"].append({**extra, "id": "weights"} if given["nbformat_minor"] >= 5 else extra)
    document = nbformat.reads(json.dumps(given), as_version=4)
    folder = {"metadata": {"path": str(notebook.parent)}}
    nbclient.NotebookClient(document, timeout=240, kernel_name="python3", resources=folder).execute()
    return cells(nbformat.writes(document))


def shown(ran: list[dict[str, Any]]) -> list[str]:
    """What each cell but the last printed and displayed, without its times."""
    return ["".join(map(_text, cell.get("outputs", []))) for cell in ran[:-1]]


def _text(output: dict[str, Any]) -> str:
    match output:
        case {"output_type": "stream", "name": "stdout", "text": text}:
            return _TIMES.sub("", "".join(text))
        case {"output_type": "execute_result" | "display_data", "data": {"text/plain": text}}:
            return "".join(text)
        case {"output_type": "error", "ename": name}:
            return str(name)
    return ""


def weights(ran: list[dict[str, Any]]) -> dict[str, str]:
    """A hash of the parameters of each module that the last cell found, by name."""
    text = "".join(ran[-1]["outputs"][-1]["data"]["text/plain"])
    return dict(re.findall(r"'(\w+)': '(\w+)'", text))
