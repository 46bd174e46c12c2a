"""Every golden case that can run takes the same optimizer steps before and after conversion, bit for bit."""

from __future__ import annotations

import pytest
from fixture_cases import case, conversion, names, reviews
from fixture_runs import Run, differences, plain_lines, raw_run, run_by, run_of, run_script
from proven import unless_proven

from torch2lit.program import Outcome

pytestmark = pytest.mark.needs("torch", "lightning")
RUNNABLE = [name for name in names() if case(name).run]
MISTAKES = [(name, *mistake) for name in RUNNABLE for mistake in case(name).mistakes]


@pytest.mark.parametrize("name", RUNNABLE)
def test_conversion_trains_the_same(name: str) -> None:
    c, result = case(name), conversion(name)
    converted = result.outcome is Outcome.CONVERTED
    if not converted and result.outcome.value not in c.outcomes:
        pytest.fail(f"not converted: {result.outcome.value} {result.error or result.reason}")
    flagged = c.verify == "flagged" and bool(reviews(result))

    def compare() -> None:
        _trains(raw_run(name))
        if converted:
            told = differences(raw_run(name), run_of(name, result.after))
            assert flagged or not told, ["trains differently and no finding says so", *told]

    unless_proven(name, ("trains", run_by(c), result.after if converted else "", flagged), compare)


def _trains(run: Run) -> None:
    assert run.error == ""
    assert run.trace.losses, "the raw script runs no backward pass"
    assert run.stdout, "the raw script prints nothing"


@pytest.mark.parametrize(("name", "old", "new"), MISTAKES, ids=[f"{m[0]}-{i}" for i, m in enumerate(MISTAKES)])
def test_a_mistake_would_be_seen(name: str, old: str, new: str) -> None:
    """The fixture is discriminating: its construct mishandled leaves a trace."""
    c = case(name)

    def compare() -> None:
        wrong = run_script(c, c.runnable.replace(old, new), legacy=c.legacy)
        assert differences(raw_run(name), wrong), f"nobody would notice {old!r} becoming {new!r}"

    unless_proven(name, ("a mistake", run_by(c), old, new), compare)


@pytest.mark.parametrize("name", ["best-checkpoint", "full-batch", "dataset-drawing-rng"])
def test_the_same_script_twice_is_identical(name: str) -> None:
    assert differences(raw_run(name), run_script(case(name), case(name).raw)) == []


def test_bars_and_times_are_not_compared() -> None:
    bar = "\rEpoch 1:  50%|█████     | 3/6 [00:00<00:00, 81.2it/s, loss=0.3]"
    assert plain_lines(f"start\n{bar}{bar}epoch 1 | loss 0.25\ntook 1.5s\n") == [
        "start",
        "epoch 1 | loss 0.25",
        "took <time>",
    ]


def test_a_wrong_conversion_is_caught() -> None:
    """A Lightning script with a usual mistake: without interval the schedule moves once per epoch."""
    told = differences(raw_run("scheduler-per-batch"), run_script(case("scheduler-per-batch"), WRONG))
    assert any(line.startswith("learning_rates 1 ") for line in told), told
    assert not any(line.startswith("loss 0 ") for line in told), "the first step is the same"
    right = WRONG.replace('{"scheduler": scheduler}', '{"scheduler": scheduler, "interval": "step"}')
    told = differences(raw_run("scheduler-per-batch"), run_script(case("scheduler-per-batch"), right))
    assert [line.split()[0] for line in told] == ["line"], "only what it prints is missing then"


WRONG = """\
import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(9, 18)
        self.d = nn.Dropout(0.2)
        self.b = nn.Linear(18, 3)

    def forward(self, x):
        return self.b(self.d(F.relu(self.a(x))))


class LitNet(L.LightningModule):
    def __init__(self, model, epochs, steps):
        super().__init__()
        self.model, self.epochs, self.steps = model, epochs, steps

    def training_step(self, batch, batch_idx):
        data, target = batch
        return F.cross_entropy(self.model(data), target)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        scheduler = OneCycleLR(optimizer, max_lr=0.05, epochs=self.epochs, steps_per_epoch=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler}}


torch.manual_seed(2)
x = torch.randn(100, 9)
y = x[:, :3].argmax(1)
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False)
trainer = L.Trainer(max_epochs=3, accelerator="cpu", devices=1, **quiet)
trainer.fit(LitNet(Net(), 3, len(loader)), loader)
"""
