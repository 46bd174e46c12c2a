"""Values that are made of themselves: no walk back over them goes on for ever, and none is told as nesting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from torch2lit.deep_stack import is_nested_deeply
from torch2lit.options import Options
from torch2lit.process import process_file, process_text
from torch2lit.program import Outcome
from torch2lit.recover.clocks import Clocks
from torch2lit.recover.early_reads import early_reads
from torch2lit.recover.neighbours import Neighbours
from torch2lit.recover.roles import Roles
from torch2lit.recover.syntax import source_of

SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset


def train(loader, model, optimizer, device):
    for x, y in loader:
        @INSIDE
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x.to(device)), y.to(device))
        loss.backward()
        optimizer.step()


device = torch.device("cpu")
data = TensorDataset(torch.randn(24, 4), torch.randint(0, 3, (24,)))
loader = DataLoader(data, batch_size=8)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(3):
    @EPOCH
    train(loader, model, optimizer, device)
"""
FORMS = (
    "{n} = {n}[0]",
    "{n} = [{n}[i] for i in range(2)]",
    "{n} = {{k: {n}[k] for k in 'ab'}}",
    "{n} = Subset({n}, range(len({n}) // 2))",
    "other = [{n}[0]]; {n} = [other[0]]",
    "other = {n}.to('cpu'); {n} = other.to('cpu')",
    "{n}, other = other, {n}",
    "{n} = nn.Sequential({n}, {n})",
    "{n} = {n} or {n}",
)


@pytest.mark.parametrize("place", ["@INSIDE", "@EPOCH"])
@pytest.mark.parametrize("name", ["data", "loader", "model", "optimizer", "device", "x"])
@pytest.mark.parametrize("form", FORMS)
def test_a_value_made_of_itself_is_no_endless_walk(form: str, name: str, place: str) -> None:
    text = SCRIPT.replace(place, form.format(n=name)).replace("@INSIDE", "pass").replace("@EPOCH", "pass")
    result = process_text(text, "script.py", Options())
    assert not result.error


def test_classes_that_extend_each_other() -> None:
    circle = "from torch.optim import SGD as B\nclass A(B):\n    pass\nclass B(A):\n    pass\n"
    text = circle + SCRIPT.replace("torch.optim.SGD(", "A(").replace("@INSIDE", "pass").replace("@EPOCH", "pass")
    assert not process_text(text, "script.py", Options()).error


def test_only_what_is_nested_deeply_is_told_so() -> None:
    assert not is_nested_deeply(SCRIPT.replace("@INSIDE", "pass").replace("@EPOCH", "pass"))
    assert is_nested_deeply("x = " + "-" * 1000 + "1\n")


@pytest.mark.parametrize(
    ("body", "early"),
    [
        ("loader = loader", {"loader"}),
        ("x += 1", {"x"}),
        ("for i in y: y = i", {"y"}),
        ("with open(p) as p: pass", {"p"}),
        ("print((k := k + 1))", {"k"}),
        ("a = [a for b in c]", {"a"}),
        ("t, u = u, t", {"t", "u"}),
        ("try: print(q)\n    except E as q: pass", {"q"}),
        ("for i in c:\n        if i: print(z)\n        z = i", set()),
        ("def g(): return h\n    h = 1", set()),
        ("if c: v = 1\n    print(v)", set()),
        ("global w\n    w = w", set()),
    ],
)
def test_reads_before_any_binding(body: str, early: set[str]) -> None:
    assert early_reads(ast.parse(f"def f(c):\n    {body}\n")) == early


ENTRY = """\
import torch
from torch import nn
from report import told


model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for x in torch.ones(4, 3, 2):
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
    print(told(2), loss.item())
"""
REPORT = """\
def told(n):
    return counted(n)


from other import counted
"""
OTHER = """\
import time
from report import told


def counted(n):
    return told(n - 1) if n else int(time.time() > 0)
"""


def test_files_that_call_each_other(tmp_path: Path) -> None:
    for name, text in (("train.py", ENTRY), ("report.py", REPORT), ("other.py", OTHER)):
        (tmp_path / name).write_text(text)
    done = process_file(tmp_path / "train.py", Options()).conversion
    assert done.outcome is Outcome.CONVERTED, done.error
    clocks = Clocks(Roles(source_of(ENTRY), Neighbours(str(tmp_path / "train.py"))))
    (call,) = [n for n in clocks.source.calls if ast.unparse(n) == "told(2)"]
    assert clocks.read(call, clocks.source.scope_of(call))
