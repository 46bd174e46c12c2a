"""Which claims are heard, for idioms of other packages as for torch2lit's own."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import pytest

from torch2lit.engine import convert_text
from torch2lit.options import Options
from torch2lit.plan import idioms as asked
from torch2lit.program import Claim, Site, TrainerSpec

_SCRIPT = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)


def mark():
    print("mark")


for epoch in range(2):
    for i, (x, y) in enumerate(loader):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
{}
"""
_PLAIN = "        mark()"
_GUARDED = ("        if i % 2:\n            mark()", "        for _ in range(2):\n            mark()",
            "        with torch.no_grad():\n            mark()", "        try:\n            mark()\n        finally:\n            print(1)")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Marks:
    """Claims every ``mark()``."""

    answer: Claim
    name: str = "marks"

    def claim(self, site: Site) -> Claim | None:
        match site.statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="mark"))):
                return self.answer
        return None


def converted(monkeypatch: pytest.MonkeyPatch, tail: str, answer: Claim, **options: Any) -> str:
    monkeypatch.setattr(asked, "idioms", lambda: [Marks(answer)])
    result = convert_text(_SCRIPT.format(tail), "raw.py", Options(**options))
    assert result.mechanism is not None
    return result.after


def calls(text: str) -> int:
    return text.count("mark()") - 1  # the definition


CALLBACK = Claim("callback", "the same", trainer=TrainerSpec().callback("{lightning}.Callback()"))
CLAIMS = {
    "taken away": Claim("nothing", "the same"),
    "argument": Claim("argument", "the same", trainer=TrainerSpec().set("profiler", '"simple"')),
    "callback": CALLBACK,
    "logger": Claim("logger", "the same", trainer=TrainerSpec().logger("{lightning}.pytorch.loggers.CSVLogger(str())")),
    "method": Claim("method", "the same", methods=("def on_fit_end(self):\n    pass\n",)),
}


@pytest.mark.parametrize("answer", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_is_heard_where_nothing_stands_around_it(monkeypatch: pytest.MonkeyPatch, answer: Claim) -> None:
    assert calls(converted(monkeypatch, _PLAIN, answer)) == 0


@pytest.mark.parametrize("tail", _GUARDED)
@pytest.mark.parametrize("answer", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_is_not_heard_in_a_block(monkeypatch: pytest.MonkeyPatch, answer: Claim, tail: str) -> None:
    text = converted(monkeypatch, tail, answer)
    assert calls(text) == 1
    assert "Callback" not in text and "profiler" not in text and "on_fit_end" not in text


def test_a_claim_is_not_heard_behind_a_way_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = "        if i == 2:\n            continue\n        mark()"
    assert calls(converted(monkeypatch, tail, CALLBACK)) == 1


def test_a_claim_that_holds_anywhere_is_heard_in_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    assert calls(converted(monkeypatch, _GUARDED[0], Claim("nothing", "the same", anywhere=True))) == 0


@pytest.mark.parametrize("answer", [CLAIMS[n] for n in ("argument", "callback", "logger", "method")])
@pytest.mark.parametrize("second", [_PLAIN, _GUARDED[0]], ids=["plain", "guarded"])
def test_claims_that_say_the_same_are_in_conflict(monkeypatch: pytest.MonkeyPatch, answer: Claim, second: str) -> None:
    text = converted(monkeypatch, f"{_PLAIN}\n{second}", answer)
    assert calls(text) == 2
    assert "Callback" not in text and "profiler" not in text and "on_fit_end" not in text


@pytest.mark.parametrize("name", ["max_epochs", "accelerator", "devices"])
def test_a_claim_against_the_plan_is_not_heard(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    answer = Claim("argument", "the same", trainer=TrainerSpec().set(name, "7"))
    text = converted(monkeypatch, _PLAIN, answer)
    assert calls(text) == 1 and f"{name}=7" not in text


def test_a_claim_against_the_options_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Claim("argument", "the same", trainer=TrainerSpec().set("precision", '"16-mixed"'))
    assert calls(converted(monkeypatch, _PLAIN, answer)) == 0
    assert calls(converted(monkeypatch, _PLAIN, answer, precision="bf16-mixed")) == 1


@pytest.mark.parametrize("name", ["training_step", "on_train_epoch_end", "configure_optimizers", "__init__"])
def test_a_method_that_the_plan_writes_is_not_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    answer = Claim("method", "the same", methods=(f"def {name}(self):\n    pass\n",))
    assert calls(converted(monkeypatch, _PLAIN, answer)) == 1


def test_callbacks_and_loggers_reach_the_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = (
        TrainerSpec()
        .callback("{lightning}.Callback()")
        .logger("{lightning}.pytorch.loggers.CSVLogger(str())")
        .set("enable_checkpointing", "True")
    )
    text = converted(monkeypatch, _PLAIN, Claim("both", "the same", trainer=spec))
    assert (
        "callbacks=[L.Callback()]" in text
        and "logger=L.pytorch.loggers.CSVLogger(str())," in text
        and "logger=False" not in text
    )
    assert "enable_checkpointing=True" in text and "enable_checkpointing=False" not in text


def test_a_spec_says_a_thing_once() -> None:
    spec = TrainerSpec().set("gradient_clip_val", "1.0")
    assert spec.conflict(TrainerSpec().set("gradient_clip_val", "1.0")) == "gradient_clip_val"
    assert spec.conflict(TrainerSpec().set("profiler", "None")) == ""
    with pytest.raises(ValueError, match="gradient_clip_val"):
        spec.set("gradient_clip_val", "2.0")
