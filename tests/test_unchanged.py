"""A file that stays as it is says why, and steps in objects of known packages are found."""

from __future__ import annotations

import ast
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from torch2lit.api import convert
from torch2lit.options import Options
from torch2lit.program import Outcome
from torch2lit.recover.neighbours import Neighbours
from torch2lit.unchanged import why_unchanged
from torch2lit.verify import verify

DATA = Path(__file__).parent / "data" / "hidden_step"
TIMM = """
import torch


class NativeScaler:
    def __init__(self):
        self._scaler = torch.amp.GradScaler("cpu", enabled=False)

    def __call__(self, loss, optimizer, clip_grad=None, parameters=None, create_graph=False):
        self._scaler.scale(loss).backward(create_graph=create_graph)
        if clip_grad is not None:
            self._scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(parameters, clip_grad)
        self._scaler.step(optimizer)
        self._scaler.update()
"""
HIDDEN = """
import torch
from somewhere import Stepper
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
stepper = Stepper()
for x in data:
    loss = model(x).sum()
    stepper(loss, optimizer)
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import torch\nprint(torch.ones(2))\n", "no training loop"),
        ("import torch\nimport lightning as L\nclass A(L.LightningModule):\n    pass\n", "already Lightning"),
        ("import torch\nfrom pytorch_lightning import Trainer\nTrainer().fit(m)\n", "already Lightning"),
        (
            "import torch\nfrom transformers import Trainer\ntrainer = Trainer(model=m)\ntrainer.train()\n",
            "transformers.Trainer runs the loop",
        ),
        (
            "import torch\nfrom transformers import (\n    AutoModel,\n    Seq2SeqTrainer,\n)\nt = Seq2SeqTrainer(m)\nt.train()\n",
            "transformers.Seq2SeqTrainer runs the loop",
        ),
        (HIDDEN, "no training loop: the step is hidden in `Stepper`, which is not in this project"),
        ("import torch\noptim = 1\nloss = (\n", "no training loop: does not parse"),
        ("import torch\nimport lightning\nprint(torch.ones(2))\n", "no training loop"),
        ("import torch\nfrom mine import Trainer\nTrainer(m).train()\n", "no training loop"),
    ],
)
def test_the_reason_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "train.py").write_text(text, encoding="utf-8")
    (result,) = convert(tmp_path / "train.py")
    assert (result.outcome, result.reason) == (Outcome.UNCHANGED, reason)
    assert why_unchanged(text.encode(), str(tmp_path / "train.py")) == reason


def test_what_stands_in_the_project_or_is_handed_in_is_not_told_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "somewhere.py").write_text("class Stepper:\n    pass\n", encoding="utf-8")
    (tmp_path / "train.py").write_text(HIDDEN, encoding="utf-8")
    (tmp_path / "engine.py").write_text(
        (DATA / "engine.py").read_text(encoding="utf-8") + "# torch\n", encoding="utf-8"
    )
    assert [r.reason for r in convert(tmp_path)] == [
        "no training loop: the step is hidden in `loss_scaler`, which the callers hand in",
        "no training loop",
        "no training loop",
    ]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None or find_spec("lightning") is None, reason="needs torch")
def test_the_scaler_of_timm_is_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, packages = tmp_path / "project", tmp_path / "packages"
    shutil.copytree(DATA, project)
    (packages / "timm").mkdir(parents=True)
    (packages / "timm" / "__init__.py").write_text("", encoding="utf-8")
    (packages / "timm" / "utils.py").write_text(TIMM, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    (result,) = convert(project / "train.py")
    assert result.outcome is Outcome.CONVERTED
    assert "self.loss_scaler(loss, optimizer, clip_grad=" in result.after
    assert verify(project / "train.py", None, [], options=Options()).status == "identical"


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))", "project/lib"),
        ("sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))", "project"),
        ("sys.path.append(str(Path(__file__).resolve().parent.parent / 'lib'))", "project/lib"),
        ("sys.path.append(str(Path(__file__).parents[1] / 'lib'))", "project/lib"),
        (
            "ROOT = os.path.dirname(__file__)\nLIB = os.path.join(ROOT, '..', 'lib')\nsys.path.insert(0, LIB)",
            "project/lib",
        ),
        ("sys.path.append('../lib')", "project/lib"),
        (
            "def add(path):\n    sys.path.insert(0, path)\n\n\nadd(os.path.join(os.path.dirname(__file__), '../lib'))",
            "project/lib",
        ),
    ],
)
def test_modules_are_found_where_the_script_looks_for_them(tmp_path: Path, line: str, folder: str) -> None:
    wanted = tmp_path / folder / "inner.py"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.write_text("x = 1\n", encoding="utf-8")
    script = tmp_path / "project" / "tools" / "train.py"
    script.parent.mkdir(parents=True)
    neighbours = Neighbours(str(script))
    assert neighbours.file("inner") is None
    neighbours.look_on_path(ast.parse(f"import os, sys\n{line}\n"))
    found = neighbours.file("inner")
    assert found is not None
    assert found.resolve() == wanted.resolve()


@pytest.mark.parametrize("line", ["sys.path.append(sys.argv[1])", "sys.path.append('/opt/lib')", "paths.append('lib')"])
def test_folders_that_are_not_written_down_are_not_guessed(tmp_path: Path, line: str) -> None:
    neighbours = Neighbours(str(tmp_path / "train.py"))
    neighbours.look_on_path(ast.parse(f"import sys\n{line}\n"))
    assert neighbours.extra == []
