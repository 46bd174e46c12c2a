"""A converted script whose flags a LightningCLI reads: the same values as argparse's, a YAML of the defaults, no file and no seed that the script did not ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fixture_cases import case, conversion

from torch2lit.api import convert_source
from torch2lit.options import Options

NAME = "lightning-cli-of-a-script-with-flags"
PLAIN = """\
import argparse
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

{above}
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
{flags}
args = parser.parse_args()
{between}
loader = DataLoader(TensorDataset(torch.ones(8, 2), torch.zeros(8, 2)), batch_size=4)
model = {net}
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(args.epochs):
    for x, y in loader:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
print({shown})
"""


def converted(flags: str = "", *, above: str = "", between: str = "", net: str = "nn.Linear(2, 2)", shown: str = "args.epochs") -> tuple[str, str]:  # fmt: skip
    """The raw and the converted text of a script with these flags."""
    raw = PLAIN.format(above=above, flags=flags, between=between, net=net, shown=shown)
    return raw, convert_source(raw, "raw.py", Options(lightning_cli="lightning")).after


def kept(flags: str = "", **parts: str) -> str:
    """Why such a script goes on reading its command line itself, "" when it does not."""
    raw, _ = converted(flags, **parts)
    result = convert_source(raw, "raw.py", Options(lightning_cli="lightning"))
    assert ("(LightningCLI)" in result.after) != any(f.slug == "command-line-kept" for f in result.findings)
    return next((f.message for f in result.findings if f.slug == "command-line-kept"), "")


def run(text: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script's run in a folder of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(text)
    command = [sys.executable, "train.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_flags_of_plain_types_are_read() -> None:
    assert kept('parser.add_argument("--width", type=int, default=2)', net="nn.Linear(2, args.width)") == ""


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ('parser.add_argument("--wide", type=bool, default=False)', "`bool`"),
        ('parser.add_argument("--part", type=lambda s: s.split(","))', "read by"),
        ('parser.add_argument("where")', "two dashes"),
        ('parser.add_argument("--config")', "of its own"),
        ('parser.add_argument("-c", "--count", type=int, default=1)', "of its own"),
        ('parser.add_argument("--items", default="a")', "name of a method"),
        ('parser.add_argument("--times", action="append")', "something else"),
        ('parser.add_argument("--level", choices=["a", "b"], default="c")', "none of its choices"),
        ('parser.add_argument("--net", default=nn.Linear(1, 1))', "no plain value"),
        ('parser.set_defaults(epochs=3)', "between the flags"),
        ('parser.add_argument("--maybe", nargs="?", const=1)', "`const=`"),
    ],
)  # fmt: skip
def test_flags_that_may_be_read_otherwise_stay(flags: str, why: str) -> None:
    assert why in kept(flags)


@pytest.mark.parametrize(
    ("between", "why"),
    [
        ("args.width = 3\n", "another value"),
        ("vars(args)['width'] = 3\n", "may change a flag"),
        ("args.__dict__.update(width=3)\n", "may change a flag"),
        ("other = args\nother.width = 3\n", "another value"),
        ("random.setstate(args)\n", "gets all flags"),
    ],
)
def test_flags_that_may_change_stay(between: str, why: str) -> None:
    flag = 'parser.add_argument("--width", type=int, default=2)'
    assert why in kept(flag, between=between, net="nn.Linear(2, args.width)")


@pytest.mark.parametrize("net", ["nn.Linear(2, len(loader))", "nn.Linear(2, args.epochs + size)", "make(args)"])
def test_networks_of_more_than_flags_stay(net: str) -> None:
    above = "def make(a):\n    return nn.Linear(2, a.epochs)\n\n\nsize = len('ab')\n"
    assert "`model` is made of" in kept(net=net, above=above)


def test_what_draws_between_two_parts_keeps_its_place() -> None:
    net = "nn.Linear(2, 2)\nnoise = torch.rand(3)\nhead = nn.Linear(2, 2)"
    raw, _ = converted(net=net)
    raw = raw.replace("criterion(model(x), y)", "criterion(head(model(x)), y)")
    result = convert_source(raw, "raw.py", Options(lightning_cli="lightning"))
    assert "(LightningCLI)" not in result.after


@pytest.mark.needs("torch", "lightning", "jsonargparse")
def test_no_random_number_is_drawn_and_nothing_is_written(tmp_path: Path) -> None:
    seed = "random.seed(3)\ntorch.manual_seed(3)\n"
    raw, text = converted(above=seed, shown="random.random(), torch.rand(1).item(), [p.sum().item() for p in model.parameters()]")  # fmt: skip
    assert "(LightningCLI)" in text
    first, second = run(raw, tmp_path / "raw"), run(text, tmp_path / "converted")
    assert first.stdout == second.stdout, second.stderr
    assert [p.name for p in (tmp_path / "converted").iterdir()] == ["train.py"]


@pytest.mark.needs("torch", "lightning", "jsonargparse")
def test_a_yaml_of_the_defaults_is_read_again(tmp_path: Path) -> None:
    text = conversion(NAME).after
    printed = run(text, tmp_path, "--print_config")
    assert printed.returncode == 0 and "smoothing: 0.0" in printed.stdout
    (tmp_path / "defaults.yaml").write_text(printed.stdout)
    plain = run(case(NAME).raw, tmp_path / "raw", "--lr", "0.5")
    again = run(text, tmp_path, "--config", "defaults.yaml", "--lr", "0.5")
    assert plain.stdout == again.stdout, again.stderr


@pytest.mark.needs("torch", "lightning", "jsonargparse")
def test_a_linked_argument_is_only_given_by_its_flag(tmp_path: Path) -> None:
    wrong = run(conversion(NAME).after, tmp_path, "--trainer.max_epochs", "9")
    assert wrong.returncode == 2 and "max_epochs" in wrong.stderr
