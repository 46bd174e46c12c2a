"""A small kit to test features, one's own or a package's: a few lines of a script in, what was proposed and what came of it out.

    def test_the_counter_is_lightnings() -> None:
        tried = propose(early_stopping, "if loss_now < best:", "    best, bad = loss_now, 0", "else:", "    bad += 1", "    if bad >= 3:",
                        "        break", above="best, bad = float('inf'), 0")
        assert tried.accepted and "patience=3" in tried.text

The lines stand at the end of an epoch of a plain training, in which ``model``, ``optimizer``, ``loader``, ``epoch``, ``loss`` (of the last batch) and
``loss_now`` (a number) are known. A feature is a plain module with ``name``, ``after`` and ``proposals``, or an object that has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .engine import convert_text
from .feature import Feature
from .installed import instead
from .options import Options

_SCRIPT = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
{above}
for epoch in range(6):
    total = 0.0
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    loss_now = total / len(loader)
{epoch}
{below}
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a feature's proposals: whether one was accepted, the laws that others broke and by what, and the converted script."""

    raw: str
    text: str
    accepted: bool
    conflicts: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]


def script(*epoch: str, above: str = "", below: str = "") -> str:
    """A whole training script around a few lines at the end of an epoch, above and below its loop."""
    return _SCRIPT.format(above=above, epoch="\n".join(f"    {line}" for line in epoch), below=below)


def propose(feature: Feature, *epoch: str, above: str = "", below: str = "", **options: Any) -> Tried:
    """The script around a few lines, converted with this feature alone."""
    return propose_in(feature, script(*epoch, above=above, below=below), **options)


def propose_in(feature: Feature, raw: str, **options: Any) -> Tried:
    """A whole script, converted with this feature alone."""
    with instead(feature):
        result = convert_text(raw, "raw.py", Options(**options))
    conflicts = tuple(
        (law, about) for nest in result.nests for name, law, about in nest.declined if name == feature.name
    )
    accepted = any(feature.name in nest.idioms for nest in result.nests)
    return Tried(raw, result.after, accepted, conflicts, tuple(f.message for f in result.findings))
