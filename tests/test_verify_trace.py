"""What `record` sees of real training, in this process."""

from __future__ import annotations

import contextlib
import io
import logging
import runpy
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from torch2lit.verify.causes import likely_causes
from torch2lit.verify.compare import compare
from torch2lit.verify.events import Trace, read
from torch2lit.verify.trace import record

DATA = Path(__file__).parent / "data" / "verify"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("torch") is None or find_spec("lightning") is None, reason="needs torch"),
]


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    return tmp_path


def run(text: str, max_steps: int | None = None) -> Trace:
    Path("script.py").write_text(text, encoding="utf-8")
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with record(max_steps) as trace:
            runpy.run_path("script.py", run_name="__main__")
    return trace


RAW = (DATA / "raw.py").read_text(encoding="utf-8")
CONVERTED = (DATA / "converted.py").read_text(encoding="utf-8")


def test_a_faithful_conversion_is_identical(here: Path) -> None:
    raw, converted = run(RAW), run(CONVERTED)
    result = compare(raw, converted)
    assert result.identical
    assert (result.steps, result.losses, result.saves, result.tensors) == ((15, 15), (15, 15), (3, 3), 4)
    assert raw.names == {"SGD#0": ("first.weight", "first.bias", "last.weight", "last.bias")}
    assert [(event.scheduler, event.steps) for event in raw.schedulers] == [
        ("StepLR", 5),
        ("StepLR", 10),
        ("StepLR", 15),
    ]
    assert raw.saves[0].name == "last.pt"
    assert raw.saves[0].keys == ("first.weight", "first.bias", "last.weight", "last.bias")
    assert raw.steps[0].training == (4, 4)
    assert raw.ended == "exit"


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("lr=0.1", "lr=0.2", "another learning rate from the start"),
        ('"interval": "epoch"', '"interval": "step"', "scheduler interval"),
        ("        gradient_clip_val=0.5,\n", "", "gradient clipping"),
        ("gradient_clip_val=0.5", "gradient_clip_val=0.6", "gradient clipping"),
        ("    trainer = L.", "    iter(val_loader)\n    trainer = L.", "order of the data"),
        ("        self.total = 0.0", "        self.total = torch.rand(1).item() * 0", "order of the data"),
        (
            "        x, y = batch\n        return",
            "        x, y = batch\n        torch.rand(1)\n        return",
            "random numbers",
        ),
        (
            "        self.model.train()\n",
            "        pass\n\n    def on_validation_model_train(self):\n        pass\n",
            "train or eval mode",
        ),
        (
            "momentum=0.9",
            "momentum=0.9, weight_decay=0.01",
            "settings of the optimizer",
        ),
        ("devices=1", 'devices=1, precision="bf16-mixed"', "precision"),
        (
            "self.model(x), y)\n\n    def on_val",
            "self.model(x), y) * 4\n\n    def on_val",
            "scale of the loss",
        ),
        ("max_epochs=args.epochs", "max_epochs=2", "another number of epochs"),
        ("    trainer.fit(", "    print(", "the converted run did not train"),
        (
            "    def training_step",
            "    def optimizer_zero_grad(self, *_):\n        pass\n\n    def training_step",
            "zero_grad, clipping or scale of the gradients",
        ),
        ("self.model.parameters()", "reversed(list(self.model.parameters()))", "order of the parameters"),
        ('        torch.save(self.model.state_dict(), "last.pt")\n', "", "a save that is missing"),
    ],
)
def test_a_broken_conversion_is_told_with_its_cause(here: Path, old: str, new: str, cause: str) -> None:
    assert CONVERTED.count(old) == 1
    raw, converted = run(RAW), run(CONVERTED.replace(old, new))
    result = compare(raw, converted)
    assert not result.identical
    assert likely_causes(raw, converted, result)[0].name == cause


def test_the_tail_of_an_accumulation_is_told(here: Path) -> None:
    raw = run((DATA / "accumulating.py").read_text(encoding="utf-8"))
    converted = run((DATA / "accumulated.py").read_text(encoding="utf-8"))
    causes = likely_causes(raw, converted, compare(raw, converted))
    assert causes[0].name == "accumulation over the end of an epoch"


@pytest.mark.parametrize("script", [RAW, CONVERTED])
def test_the_run_ends_after_the_last_wanted_step(here: Path, script: str) -> None:
    trace = run(script, max_steps=4)
    assert (len(trace.steps), len(trace.losses), trace.ended) == (4, 4, "limit")


def test_nothing_stays_patched(here: Path) -> None:
    import torch
    from torch.optim import lr_scheduler, optimizer

    def patched() -> list[object]:
        owners = [torch.Tensor.backward, torch.autograd.backward, torch.save, torch.nn.Module.train]
        owners += [torch.utils.data.DataLoader.__iter__, torch.autocast.__enter__, lr_scheduler.StepLR.step]
        return [*owners, list(optimizer._global_optimizer_post_hooks)]

    before = patched()
    run(RAW, max_steps=1)
    with pytest.raises(ZeroDivisionError), record():
        assert patched() != before
        raise ZeroDivisionError
    assert patched() == before


def model_and_optimizer() -> tuple[object, object, object]:
    import torch

    model = torch.nn.Linear(2, 1)
    return torch, model, torch.optim.SGD(model.parameters(), lr=0.5)


def test_each_loss_is_told_once_however_backward_is_called() -> None:
    import torch

    with record() as trace:
        torch.ones(1, requires_grad=True).sum().backward()
        torch.autograd.backward(torch.full((1,), 2.0, requires_grad=True))
        torch.autograd.backward([torch.full((), 3.0, requires_grad=True), torch.full((), 4.0, requires_grad=True)])
        torch.ones(3, requires_grad=True).backward(torch.ones(3))
    assert trace.losses == [1.0, 2.0, 3.0, 4.0]


def test_a_step_without_any_gradient_is_none() -> None:
    import torch

    model = torch.nn.Linear(2, 1)
    with record() as trace:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        optimizer.step()
        model.weight.sum().backward()
        optimizer.step()
    assert [(step.optimizer, step.learning_rates, step.loss_count) for step in trace.steps] == [("SGD#0", (0.5,), 1)]


def test_the_seed_is_the_same_for_python_numpy_and_torch() -> None:
    import random

    import numpy
    import torch

    drawn = []
    for _ in range(2):
        with record(seed=3):
            drawn.append((random.random(), float(numpy.random.rand()), float(torch.rand(1))))
    assert drawn[0] == drawn[1]
    with record(seed=None):
        assert float(torch.rand(1)) != drawn[0][2]


def test_recording_draws_no_random_number() -> None:
    import torch

    def train() -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(), torch.nn.Linear(4, 1))
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(3):
            model(torch.rand(5, 4)).sum().backward()
            optimizer.step()
        return torch.cat([p.detach().reshape(-1) for p in model.parameters()] + [torch.rand(3)])

    plain = train()
    with record() as trace:
        traced = train()
    assert len(trace.steps) == 3
    assert torch.equal(plain, traced)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64", "complex64", "sparse"])
def test_parameters_of_any_kind_are_told_apart(kind: str) -> None:
    import torch

    digests = []
    for value in (1.0, 1.0, 1.0078125):
        with record() as trace:
            if kind == "sparse":
                dense = torch.zeros(3)
                dense[1] = value
                parameter = torch.nn.Parameter(dense.to_sparse())
            else:
                parameter = torch.nn.Parameter(torch.full((3,), value, dtype=getattr(torch, kind)))
            parameter.grad = torch.zeros_like(parameter)
            step_of(torch, parameter)
        digests.append(trace.steps[0].parameters)
    assert digests[0] == digests[1] != digests[2]


def step_of(torch: object, parameter: object) -> None:
    """A step that changes nothing, of an optimizer that takes any tensor."""
    import torch as t

    class Still(t.optim.Optimizer):  # type: ignore[misc, unused-ignore]
        def step(self, closure: object = None) -> None:  # type: ignore[override, unused-ignore]
            pass

    Still([{"params": [parameter]}], {"lr": 0.0}).step()


def test_lines_tell_the_same_as_the_trace(here: Path) -> None:
    lines: list[str] = []
    Path("script.py").write_text(RAW, encoding="utf-8")
    with contextlib.redirect_stdout(io.StringIO()), record(sink=lines.append) as trace:
        runpy.run_path("script.py", run_name="__main__")
    assert read(lines) == trace


def test_the_parameters_of_one_step_can_be_kept(here: Path) -> None:
    import torch

    Path("script.py").write_text(RAW, encoding="utf-8")
    with record(3, dump_step=2, dump_to=Path("dump.pt")) as trace:
        runpy.run_path("script.py", run_name="__main__")
    kept = torch.load("dump.pt", weights_only=True)
    assert [float(tensor.abs().max()) for tensor in kept] == [fact.max_abs for fact in trace.steps[2].tensors]
    assert trace.saves == []


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16", "float64", "complex64", "int64"])
def test_norms_are_those_of_the_numbers_in_double(kind: str) -> None:
    import torch

    from torch2lit.verify.digest import largest_of, norm_of

    values = (torch.randn(7, 5, generator=torch.Generator().manual_seed(1)) * 9).to(getattr(torch, kind)).t()
    exact = values.to(torch.complex128 if values.is_complex() else torch.float64).abs()

    assert norm_of(values) == pytest.approx(float(exact.square().sum().sqrt()), rel=1e-14)
    assert largest_of(values) == float(exact.max())
    assert (norm_of(values[:0]), largest_of(values[:0])) == (0.0, 0.0)
    if values.is_floating_point():
        assert largest_of(values / 0) == float("inf")
        values[0, 0] = float("nan")
        assert norm_of(values) != norm_of(values)
        assert largest_of(values) != largest_of(values)
