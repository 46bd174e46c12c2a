"""The Trainer trains where the script did, in every spelling: both texts run on a machine that is only pretended."""

from __future__ import annotations

import functools
import itertools
import textwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from torch2lit.engine import convert_text
from torch2lit.options import Options

if TYPE_CHECKING:
    from torch import nn

pytestmark = pytest.mark.needs("torch", "lightning")
MACHINES = {"cuda": (True, False), "mps": (False, True), "cpu": (False, False)}
"""Whether a machine has CUDA, and MPS."""

OPTION = "parser = argparse.ArgumentParser()\n{}\nargs = parser.parse_args()\n"
DEVICE = OPTION.format('parser.add_argument("--device", default="cpu")')
CHOICE = OPTION.format('parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])')
GPU = OPTION.format('parser.add_argument("--gpu", type=int, default=None)')
NO_CUDA = OPTION.format('parser.add_argument("--no-cuda", action="store_true")')
CUDA = OPTION.format('parser.add_argument("--cuda", action="store_true")')
NO_DEVICE: list[list[str]] = [[]]
DEVICES = [[], ["--device", "cuda"], ["--device", "cuda:1"], ["--device", "cpu"]]

SPELLINGS: dict[str, tuple[str, str, list[list[str]]]] = {
    "object-of-a-choice": (
        'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")',
        "model.to(device)",
        NO_DEVICE,
    ),
    "text-of-a-choice": (
        'device = "cuda" if torch.cuda.is_available() else "cpu"',
        "model = model.to(device)",
        NO_DEVICE,
    ),
    "first-gpu-by-number": (
        'dev = "cuda:0" if torch.cuda.is_available() else "cpu"',
        "model.to(dev)",
        NO_DEVICE,
    ),
    "second-gpu": ('dev = torch.device("cuda:1" if torch.cuda.is_available() else "cpu")', "model.to(dev)", NO_DEVICE),
    "constant-processor": ('DEVICE = "cpu"', "model.to(DEVICE)", NO_DEVICE),
    "constant-processor-object": ('device = torch.device("cpu")', "model.to(device)", NO_DEVICE),
    "constant-second-gpu": ('DEVICE = "cuda:1"', "model.to(DEVICE)", NO_DEVICE),
    "written-where-it-moves": ("", 'model.to("cuda" if torch.cuda.is_available() else "cpu")', NO_DEVICE),
    "name-bound-twice": (
        'device = "cpu"\nif torch.cuda.is_available():\n    device = "cuda"',
        "model.to(device)",
        NO_DEVICE,
    ),
    "mps-or-processor": (
        'device = "mps" if torch.backends.mps.is_available() else "cpu"',
        "model.to(device)",
        NO_DEVICE,
    ),
    "one-of-three": (
        'device = torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu")',
        "model.to(device)",
        NO_DEVICE,
    ),
    "accelerator-of-the-machine": (
        'device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"',
        "model.to(device)",
        NO_DEVICE,
    ),
    "from-a-function": (
        'def choose():\n    return torch.device("cuda" if torch.cuda.is_available() else "cpu")\ndevice = choose()',
        "model.to(device)",
        NO_DEVICE,
    ),
    "settings-class": (
        'class Config:\n    device = "cuda:1" if torch.cuda.is_available() else "cpu"\ncfg = Config()',
        "model.to(cfg.device)",
        NO_DEVICE,
    ),
    "option": (DEVICE, "model.to(args.device)", DEVICES),
    "option-in-a-name": (DEVICE + "device = args.device", "model.to(device)", DEVICES),
    "option-as-object": (DEVICE + "device = torch.device(args.device)", "model.to(device)", DEVICES),
    "option-stored-back": (DEVICE + "args.device = torch.device(args.device)", "model.to(args.device)", DEVICES),
    "option-or-choice": (
        OPTION.format('parser.add_argument("--device", default=None)')
        + 'device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")',
        "model.to(device)",
        DEVICES,
    ),
    "option-of-choices": (CHOICE, "model.to(args.device)", [[], ["--device", "cuda"]]),
    "switched-off": (
        NO_CUDA
        + 'use_cuda = not args.no_cuda and torch.cuda.is_available()\ndevice = torch.device("cuda" if use_cuda else "cpu")',
        "model.to(device)",
        [[], ["--no-cuda"]],
    ),
    "switched-on": (
        CUDA + "args.cuda = args.cuda and torch.cuda.is_available()",
        "if args.cuda:\n    model.cuda()",
        [[], ["--cuda"]],
    ),
    "cuda-if-there": ("", "if torch.cuda.is_available():\n    model.cuda()", NO_DEVICE),
    "cuda-if-counted": ("", "if torch.cuda.device_count() > 0:\n    model.cuda()", NO_DEVICE),
    "cuda-in-two-arms": ("", "model = model.cuda() if torch.cuda.is_available() else model.cpu()", NO_DEVICE),
    "always-cuda": ("", "model.cuda()", NO_DEVICE),
    "always-second-gpu": ("", "model.cuda(1)", NO_DEVICE),
    "number-of-a-gpu": (
        GPU + 'device = torch.device(f"cuda:{args.gpu}" if args.gpu is not None else "cpu")',
        "model.to(device)",
        [[], ["--gpu", "1"]],
    ),
    "gpu-where-one-is-named": (GPU, "if args.gpu is not None:\n    model.cuda(args.gpu)", [[], ["--gpu", "1"]]),
    "gpu-made-current": (
        GPU + "if args.gpu is not None:\n    torch.cuda.set_device(args.gpu)",
        "if args.gpu is not None:\n    model.cuda()",
        [[], ["--gpu", "1"]],
    ),
    "in-another-function": (
        'def ready(net):\n    return net.to("cuda:1" if torch.cuda.is_available() else "cpu")',
        "model = ready(model)",
        NO_DEVICE,
    ),
    "nowhere": ("", "", NO_DEVICE),
}

CASES = [
    (name, machine, tuple(arguments), inside)
    for name, (_setup, _move, settings) in SPELLINGS.items()
    for machine, arguments, inside in itertools.product(MACHINES, settings, (False, True))
]


def script(name: str, inside: bool) -> str:
    """A raw script that chooses its device in one spelling, at the top level or in a function."""
    setup, move, _settings = SPELLINGS[name]
    body = f"""\
{setup}
torch.manual_seed(1)
x = torch.randn(20, 4)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=5)
model = nn.Linear(4, 1)
{move}
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for a, b in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(a), b)
        loss.backward()
        optimizer.step()
"""
    if inside:
        body = "def main():\n" + textwrap.indent(body, "    ") + "\n\nmain()\n"
    return f"import argparse\nimport torch\nimport torch.nn as nn\nfrom torch.utils.data import DataLoader, TensorDataset\n\n{body}"


@functools.cache
def conversion(name: str, inside: bool, options: Options) -> tuple[str, str]:
    """A raw script and what becomes of it."""
    raw = script(name, inside)
    return raw, convert_text(raw, "train.py", options).after


class Seen(Exception):
    """The script has come to its loop."""


def place(device: Any, current: int) -> tuple[str, int]:
    """Type and number of a device; without a number it is the current one of its type."""
    import torch

    made = torch.device("cuda", device) if isinstance(device, int) else torch.device(device)
    return made.type, (current if made.type == "cuda" else 0) if made.index is None else made.index


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that pretends a machine; it answers what the pretended machine does."""

    import lightning
    import torch
    from torch import nn

    def pretend(machine: str, arguments: tuple[str, ...]) -> SimpleNamespace:
        cuda, mps = MACHINES[machine]
        state = SimpleNamespace(current=0, where={}, trainer=None)

        def moved(model: nn.Module, *given: Any, **named: Any) -> nn.Module:
            target = given[0] if given else named["device"]
            state.where[id(model)] = place(target, state.current)
            return model

        def to_cuda(model: nn.Module, device: Any = None) -> nn.Module:
            return moved(model, "cuda" if device is None else device)

        def parameters(model: nn.Module, recurse: bool = True) -> Any:
            kind, number = state.where.get(id(model), ("cpu", 0))
            return iter([SimpleNamespace(device=SimpleNamespace(type=kind, index=number if kind == "cuda" else None))])

        def record(**given: Any) -> SimpleNamespace:
            state.trainer = given
            raise Seen

        kind = machine if machine != "cpu" else None
        for target, name, value in [
            (torch.cuda, "is_available", lambda: cuda),
            (torch.cuda, "device_count", lambda: 2 if cuda else 0),
            (torch.cuda, "set_device", lambda device: setattr(state, "current", place(device, state.current)[1])),
            (torch.cuda, "current_device", lambda: state.current),
            (torch.backends.mps, "is_available", lambda: mps),
            (torch.accelerator, "is_available", lambda: kind is not None),
            (torch.accelerator, "current_accelerator", lambda: torch.device(kind) if kind else None),
            (nn.Module, "to", moved),
            (nn.Module, "cuda", to_cuda),
            (nn.Module, "cpu", lambda model: moved(model, "cpu")),
            (nn.Module, "parameters", parameters),
            (torch.optim, "SGD", lambda *_given, **_named: None),
            (lightning, "Trainer", record),
        ]:
            monkeypatch.setattr(target, name, value)
        monkeypatch.setattr("sys.argv", ["train.py", *arguments])
        return state

    return pretend


def raw_place(text: str, pretend: Any, machine: str, arguments: tuple[str, ...]) -> tuple[str, int]:
    """Where the raw script's model is when its loop begins."""
    state = pretend(machine, arguments)
    names: dict[str, Any] = {"Seen": Seen, "__name__": "__main__", "seen": []}
    indent = text[: text.index("for epoch")].rpartition("\n")[2]
    text = text.replace(f"{indent}for epoch", f"{indent}seen.append(model)\n{indent}raise Seen\n{indent}for epoch")
    with pytest.raises(Seen):
        exec(compile(text, "raw.py", "exec"), names)
    found: tuple[str, int] = state.where.get(id(names["seen"][0]), ("cpu", 0))
    return found


def trainer_place(text: str, pretend: Any, machine: str, arguments: tuple[str, ...]) -> tuple[str, int]:
    """Where the Trainer of the converted script trains."""
    state = pretend(machine, arguments)
    with pytest.raises(Seen):
        exec(compile(text, "converted.py", "exec"), {"__name__": "__main__"})
    accelerator, devices = state.trainer["accelerator"], state.trainer["devices"]
    assert accelerator in ("cpu", "cuda", "mps")
    if accelerator == "cpu":
        assert devices == 1
        return "cpu", 0
    return accelerator, devices[0] if isinstance(devices, list) else 0


@pytest.mark.parametrize(("name", "machine", "arguments", "inside"), CASES)
def test_trainer_is_where_the_script_was(
    name: str, machine: str, arguments: tuple[str, ...], inside: bool, pretended: Any
) -> None:
    """Type and number of the device are the raw script's, on every machine and for every setting of its options."""
    raw, converted = conversion(name, inside, Options())
    assert "L.Trainer(" in converted and '"auto"' not in converted
    assert trainer_place(converted, pretended, machine, arguments) == raw_place(raw, pretended, machine, arguments)


@pytest.mark.parametrize("name", SPELLINGS)
def test_options_win(name: str, pretended: Any) -> None:
    """``--accelerator`` and ``--devices`` are taken as they are said, whatever the script chooses."""
    _raw, converted = conversion(name, False, Options(accelerator="cuda", devices="[1]"))
    assert trainer_place(converted, pretended, "cuda", ()) == ("cuda", 1)
