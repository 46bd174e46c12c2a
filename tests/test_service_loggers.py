"""Points in a run of wandb or mlflow that a logger of Lightning's writes: read back from the files of a raw and a converted run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from service_files import mlflow_points, wandb_rows

from torch2lit.engine import convert_text
from torch2lit.options import Options

_SCRIPT = """\
import argparse
import torch
import {module}
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()
torch.manual_seed(1)
loader = DataLoader(TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)
{above}
for epoch in range(3):
    total = 0.0
    for i, (x, y) in enumerate(loader):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        {batch}
    {epoch}
{below}
"""
_WANDB = {
    "above": 'run = wandb.init(project="digits", name="first", config={"lr": 1}, mode="offline")\nwandb.log({"start": 1})',
    "batch": 'if i % 2: wandb.log({"loss": loss.item(), "tensor": loss.detach()})',
    "epoch": 'wandb.log({"mean": total / len(loader), "epoch": epoch}, commit=epoch > 0)\n    run.log({"h": wandb.Histogram([epoch, 1.0, 2.0])})\n    wandb.log({"late": total}, step=100 * (epoch + 1))',
    "below": 'wandb.log({"last": total})\nwandb.finish()',
}
_MLFLOW = {
    "above": 'mlflow.set_experiment("digits")\nmlflow.start_run(run_name="first")\nmlflow.log_param("lr", "another")',
    "batch": 'mlflow.log_metric("loss", loss, step=epoch * len(loader) + i)',
    "epoch": 'mlflow.log_metrics({"mean": total / len(loader), "epoch": epoch}, step=epoch)\n    mlflow.log_metric("bare", total)\n    mlflow.log_metric(f"sum {epoch}", total)',
    "below": 'mlflow.log_metric("last", total)\nmlflow.end_run()',
}


def _written(text: str, folder: Path, read: Callable[[Path], list[str]]) -> list[str]:
    folder.mkdir()
    (folder / "train.py").write_text(text)
    store = folder / "mlruns"
    environment = os.environ | {
        "WANDB_SILENT": "true",
        "WANDB_MODE": "offline",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_TRACKING_URI": store.as_uri(),
    }
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return read(folder if read is wandb_rows else store)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "lines", "read", "points"),
    [
        pytest.param("wandb", _WANDB, wandb_rows, 18, id="wandb"),
        pytest.param("mlflow", _MLFLOW, mlflow_points, 25, id="mlflow"),
    ],
)
def test_the_same_points_are_in_the_run(
    module: str,
    lines: dict[str, str],
    read: Callable[[Path], list[str]],
    points: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed: its files cannot be written or read back")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    raw = _SCRIPT.format(module=module, **lines)
    converted = convert_text(raw, "train.py", Options(logger=module)).after
    assert "self.logger.log_metrics(" in converted

    before = _written(raw, tmp_path / "raw", read)
    after = _written(converted, tmp_path / "converted", read)

    assert after == before
    assert len([line for line in before if line.startswith(("row", "metric"))]) >= points // 2
