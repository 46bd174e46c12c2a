"""Scripts for an older torch or Python: modernised by line, refused in words, and never touched otherwise."""

from __future__ import annotations

import ast
import json
from types import SimpleNamespace

import pytest

from torch2lit import installed
from torch2lit.api import convert_source
from torch2lit.files.edits import apply_edits
from torch2lit.files.lines import split_lines
from torch2lit.legacy.modernise import modernised, repaired
from torch2lit.options import Options
from torch2lit.process import process_text
from torch2lit.program import Conversion, Fate, Outcome
from torch2lit.recover.roles import Roles
from torch2lit.recover.syntax import Source

HEAD = """\
import torch
import torch.nn as nn
from torch.autograd import Variable

model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
criterion = nn.CrossEntropyLoss()
"""
LOOP = """\
for epoch in range(2):
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total = loss.data[0]  # the number
    print(epoch, total)
"""


def modern(text: str) -> str:
    """The text after its modernisation alone."""
    source = Source(text)
    return modernised(source, Roles(source)).after


def convert(text: str, options: Options = Options()) -> Conversion:  # noqa: B008
    return convert_source(text, "raw.py", options)


@pytest.mark.parametrize("text", [HEAD + "print(loss.data[0])\n", HEAD + LOOP.replace("optimizer.step()", "pass")])
def test_a_file_that_trains_nothing_keeps_its_old_torch(text: str) -> None:
    result = convert(text)
    assert result.outcome is not Outcome.CONVERTED
    assert result.after == result.before == text
    assert not any(f.slug == "modernised" for f in result.findings)


def test_a_refused_file_keeps_its_old_torch() -> None:
    text = HEAD + LOOP.replace("for epoch in range(2):", "while torch.rand(1) < 1:")
    result = convert(text, Options(target="trainer"))
    assert result.outcome is Outcome.REFUSED
    assert result.after == result.before == text
    assert {f.slug for f in result.findings} == {"while-loop"}


def test_a_refused_file_that_does_not_parse_keeps_its_keyword() -> None:
    text = HEAD + LOOP.replace("for epoch in range(2):", "while torch.rand(1) < 1:") + "x = x.cuda(async=True)\n"
    result = convert(text, Options(target="trainer"))
    assert result.outcome is Outcome.REFUSED
    assert result.after == result.before == text


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_keep_their_ends_and_numbers(newline: str) -> None:
    text = (HEAD + "名 = criterion(model(a), b)\nprint('é', 名.data[0], 'ü')\n" + LOOP).replace("\n", newline)
    result = convert(text)
    assert result.outcome is Outcome.CONVERTED
    assert f"print('é', 名.item(), 'ü'){newline}" in result.after
    assert [f.line for f in result.findings if f.slug == "modernised"] == [9, 16]
    assert apply_edits(split_lines(text), result.edits) == result.after


def test_the_ledger_has_the_raw_line_and_the_codemod() -> None:
    result = convert(HEAD + LOOP)
    entry = next(e for e in result.ledger if e.line == 14)
    assert entry.source == "total = loss.data[0]  # the number"
    assert (entry.fate, entry.codemod, entry.target) == (Fate.REPLACED, "fission, number_from_data", "training_step")


def test_converting_twice_changes_nothing() -> None:
    first = convert(HEAD + LOOP)
    again = convert(first.after)
    assert (again.outcome, again.after) == (Outcome.UNCHANGED, first.after)


def test_a_skip_comment_keeps_a_function_as_it_is() -> None:
    function = "def show(x, y):  # torch2lit: skip\n    print(criterion(x, y).data[0])\n\n\n"
    result = convert(HEAD + function + LOOP)
    assert function in result.after
    assert "self.total = loss.item()" in result.after


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("x = (loss_of(a) + 1).data[0]", "x = (loss_of(a) + 1).item()"),
        ("x = f'{loss_of(a).data[0]:.3f} {loss_of(b).data[0]}'", "x = f'{loss_of(a).item():.3f} {loss_of(b).item()}'"),
        ("x = (loss_of(a)) .data[0]", "x = (loss_of(a)) .item()"),
        ("x = a.sum().data[0]", "x = a.sum().item()"),
        ("x = torch.mean(a).data[0]", "x = torch.mean(a).item()"),
        ("x = nn.MSELoss(size_average=False)(a, b).data[0]", "x = nn.MSELoss(size_average=False)(a, b).item()"),
        ("x = F.nll_loss(a, b).data[0]", "x = F.nll_loss(a, b).item()"),
    ],
)
def test_numbers(raw: str, expected: str) -> None:
    head = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\ndef loss_of(a):\n    return F.mse_loss(a, a)\n"
    assert modern(head + raw + "\n") == head + expected + "\n"


@pytest.mark.parametrize(
    "raw",
    [
        "x = a.data[0]",
        "x = a.sum(0).data[0]",
        "x = a.sum(dim=1).data[0]",
        "x = torch.mean(a, 1).data[0]",
        "x = nn.MSELoss(reduce=False)(a, b).data[0]",
        "x = nn.MSELoss(reduction='none')(a, b).data[0]",
        "x = F.nll_loss(a, b, reduction=mode).data[0]",
        "x = maybe(a).data[0]",
        "x = circle(a).data[0]",
        "x = either.data[0]",
        "x = looped.data[0]",
        "loss = loss_of(a)\nx = [loss.data[0] for loss in a]",
        "loss = loss_of(a)\nx = lambda loss: loss.data[0]",
        "loss = loss_of(a)\nif (loss := a) is not None:\n    x = loss.data[0]",
        "loss = loss_of(a)\nmatch a:\n    case loss:\n        x = loss.data[0]",
        "one = maybe(a)\none.backward()\nx = one.data[0]",
        "x = loss_of(a).data[1]",
        "x = loss_of(a).data[:1]",
        "loss_of(a).data[0] = 3",
        "x = (loss_of(a) * a).data[0]",
        "x = 'loss_of(a).data[0]'",
    ],
)
def test_what_may_be_no_number_stays(raw: str) -> None:
    head = """\
import torch
import torch.nn as nn
import torch.nn.functional as F
def loss_of(a):
    return F.mse_loss(a, a)
def maybe(a):
    if a:
        return a
    return F.mse_loss(a, a)
def circle(a):
    b = a
    b = b.exp()
    return b
either = loss_of(a)
either = a
for looped in a:
    pass
"""
    assert modern(head + raw + "\n") == head + raw + "\n"


@pytest.mark.parametrize(
    "raw",
    [
        "x = (iter(loader)\n     .next())",
        "x = np_.int(3)",
        "np.int = 3",
        "x = np.random.int",
        "x = lambda np: np.int(3)",
        "int = 3; x = np.int(3)",
        "x = scale.Scale(3)",
        "x = module.TensorDataset(data_tensor=a, target_tensor=b)",
        "x = TensorDataset(target_tensor=b, data_tensor=a)",
        "x = torch.load(f, *more)",
    ],
)
def test_what_is_spelled_or_meant_otherwise_stays(raw: str) -> None:
    head = "import numpy as np\nimport torch\nfrom torch.utils.data import TensorDataset\nloader = None\n"
    assert modern(head + raw + "\n") == head + raw + "\n"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("y = y.cuda(async=True)\n", "y = y.cuda(non_blocking=True)\n"),
        ("y = f(x.cuda(0, async = flag), 'async=1')\n", "y = f(x.cuda(0, non_blocking = flag), 'async=1')\n"),
        ("é = 'é'; y.copy_(x, async=True)  # async=True\n", "é = 'é'; y.copy_(x, non_blocking=True)  # async=True\n"),
        ("y.cuda(\r\n    async=True)\r\n", "y.cuda(\r\n    non_blocking=True)\r\n"),
    ],
)
def test_the_keyword_async(raw: str, expected: str) -> None:
    result = repaired(raw)
    assert result is not None and result.after == expected


@pytest.mark.parametrize(
    "raw",
    ["y = f(async=True)\n", "async = 3\n", "y.cuda(async=True\n", "y.cuda(g(async=True))\n", "x = 'async'; y =\n"],
)
def test_other_uses_of_async_are_not_guessed(raw: str) -> None:
    assert repaired(raw) is None


@pytest.mark.parametrize(
    "line",
    ['print "epoch", epoch', "print loss", "try: pass\nexcept ValueError, e: pass", 'raise ValueError, "no"', "x = `3`",
     "x = 0777", 'exec "x = 1"', "if 1 <> 2: pass"],
)  # fmt: skip
def test_python_two_is_refused_with_the_line(line: str) -> None:
    text = HEAD + LOOP + line + "\n"
    result = convert(text)
    assert result.outcome is Outcome.REFUSED and result.after == text
    (found,) = result.findings
    assert (found.slug, found.line) == ("old-python", 15 + line.count("\n") + 1)
    assert "2-to-3" in found.message and "\n" not in found.message


def test_a_plain_mistake_is_not_taken_for_an_older_python() -> None:
    assert convert(HEAD + LOOP + "print(3\n").outcome is Outcome.FAILED


def notebook(*cells: str) -> str:
    empty: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    made = [{**empty, "source": c} for c in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made}, indent=1)


def test_cells_are_modernised_where_they_stand() -> None:
    moves = "def move(x):\n    return x.cuda(async=True)"
    shown = "print(criterion(model(a), b).data[0])"
    result = process_text(notebook(HEAD, moves, LOOP, shown), "raw.ipynb", Options())
    assert result.outcome is Outcome.CONVERTED, result.error
    cells = ["".join(cell["source"]) for cell in json.loads(result.after)["cells"]]
    assert cells[1] == "def move(x):\n    return x.cuda(non_blocking=True)"
    assert cells[3] == "print(criterion(model(a), b).item())"
    assert "total = loss.item()  # the number" in cells[2]
    messages = [f.message for f in result.findings if f.slug == "modernised"]
    assert [m.split(":")[:2] for m in messages] == [
        ["cell 2", " async_keyword"], ["cell 3", " number_from_data"], ["cell 4", " number_from_data"],
    ]  # fmt: skip
    again = process_text(result.after, "raw.ipynb", Options())
    assert (again.outcome, again.after) == (Outcome.UNCHANGED, result.after)


def test_every_kind_of_rewrite_is_found_by_its_name() -> None:
    for rewrites in (installed.idioms(), installed.modernizers(), installed.repairs()):
        names = [rewrite.name for rewrite in rewrites]
        assert names == sorted(set(names)) and names
    assert "number_from_data" in [m.name for m in installed.modernizers()]


def test_a_rewrite_of_another_package_is_of_the_kind_that_its_method_says(monkeypatch: pytest.MonkeyPatch) -> None:
    own = SimpleNamespace(name="own", words=("x",), modernise=lambda script: ())
    monkeypatch.setattr(installed, "_points", lambda: [own])
    assert installed._installed("MODERNIZER", "modernise") == [own]
    assert installed._installed("IDIOM", "claim") == []


def test_modernised_text_parses_and_has_the_same_lines() -> None:
    text = HEAD + LOOP
    after = modern(text)
    ast.parse(after)
    assert len(split_lines(after)) == len(split_lines(text))
