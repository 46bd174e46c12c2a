"""An iterator that ends inside of a training loop stops the raw script with an error: the conversion must not go on without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
import warm_starts

from torch2lit.engine import convert_text
from torch2lit.options import Options

pytestmark = [pytest.mark.needs("torch", "lightning"), pytest.mark.usefixtures("warm")]
_SCRIPT = """\
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
few = iter([torch.randn(8, 4) for _ in range(3)])
loader = [torch.randn(8, 4) for _ in range(2)]
{loop}
torch.save(model.state_dict(), "model.pt")
"""
_STEP = """\
    loss = model(x).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{loss.item():.6f}")
"""
_LOOPS = {
    "in a test": "for step in range(5):\n    x = loader[0]\n    if next(few).mean() > 9:\n        x = loader[1]\n"
    + _STEP,
    "before an epoch": "for epoch in range(5):\n    x = next(few)\n    for z in loader:\n"
    + "\n".join("    " + line for line in _STEP.replace("model(x)", "model(x + z)").splitlines()),
}


@pytest.mark.parametrize("name", _LOOPS)
def test_it_ends_with_an_error_after_the_same_steps(name: str, tmp_path: Path) -> None:
    raw = _SCRIPT.format(loop=_LOOPS[name])
    converted = convert_text(raw, "train.py", Options()).after
    assert "trainer.fit" in converted
    said = [_run(text, tmp_path / folder) for text, folder in ((raw, "raw"), (converted, "lit"))]
    assert said[0] == said[1]
    assert len(said[0]) >= 3


def _run(text: str, folder: Path) -> list[str]:
    folder.mkdir()
    (folder / "train.py").write_text(text)
    run = warm_starts.python(folder / "train.py")
    assert run.returncode == 1, run.stdout
    assert "StopIteration" in run.stderr
    assert not (folder / "model.pt").exists()
    return [line for line in run.stdout.splitlines() if line[:1].isdigit()]
