"""What a step costs under the Trainer, with and without the numbers that the module logs, against the raw loop.

    python tests/benchmarks/overhead.py [--rounds 6] [--steps 40] [--batch 32]

A small CNN is trained raw, converted, and converted with every `self.log` taken out, in turns in one process on one thread. What a start of the
Trainer costs is taken off: each time is that of 3 n steps less that of n. The least CPU time per step of all rounds counts.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import re
import time
import warnings
from collections.abc import Callable

import torch

from torch2lit.options import Options
from torch2lit.process import process_text

SCRIPT = """\
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Meter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, value, n=1):
        self.sum += value * n
        self.count += n

    def __str__(self):
        return f"{self.sum / self.count:.4f}"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
        self.fc = nn.Linear(32 * 5 * 5, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return self.fc(F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1))


def train(model, loader, optimizer, epochs):
    for epoch in range(epochs):
        losses = Meter()
        for data, target in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data), target)
            loss.backward()
            optimizer.step()
            losses.update(loss.item(), data.size(0))
        print("epoch", epoch, "loss", losses)


def main(steps, batch, epochs):
    data = TensorDataset(torch.randn(steps * batch, 1, 28, 28), torch.randint(0, 10, (steps * batch,)))
    model = Net()
    train(model, DataLoader(data, batch_size=batch), torch.optim.SGD(model.parameters(), lr=0.01), epochs)
"""


def main() -> None:
    """Measure, and print a line for each variant."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    converted = process_text(SCRIPT, "train.py", Options()).after
    assert "self.log(" in converted
    lean = re.sub(r"(?m)^ *self\.log\(.*\n", "", converted)
    variants = {"raw": _main(SCRIPT), "converted, nothing logged": _main(lean), "converted": _main(converted)}
    least = dict.fromkeys(variants, float("inf"))
    for _ in range(options.rounds):
        for name, run in variants.items():
            spent = _seconds(run, options, 3) - _seconds(run, options, 1)
            least[name] = min(least[name], spent / (2 * options.steps))
    for name, seconds in least.items():
        print(f"{name:26} {seconds * 1000:7.2f} ms per step   {seconds / least['raw']:.3f} x raw")


def _main(text: str) -> Callable[[int, int, int], None]:
    namespace: dict[str, Callable[[int, int, int], None]] = {"__name__": "variant"}  # type: ignore[dict-item]
    exec(compile(text, "variant", "exec"), namespace)
    return namespace["main"]


def _seconds(run: Callable[[int, int, int], None], options: argparse.Namespace, epochs: int) -> float:
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        run(options.steps, options.batch, epochs)
    return time.process_time() - start


if __name__ == "__main__":
    main()
