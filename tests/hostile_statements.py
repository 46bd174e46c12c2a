"""Statements that people put around a small training, to be mixed: each one right by itself, and hard to move.

A fragment is a name and where its lines stand: ``before`` the loop, at an epoch's ``head``, the ``top`` of a batch, before the ``loss`` is
differentiated, behind ``backward`` or behind the ``step``, at the ``end`` of an epoch, or ``behind`` the loop.
"""

from __future__ import annotations

import random

_HEAD = """\
import copy
import math
from collections import deque
from types import SimpleNamespace

import torch
import torch.nn as nn
from torch.autograd import Variable
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 10)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(10, 3)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))

"""
_SETUP = """\
torch.manual_seed(3)
inputs, others = torch.randn(37, 6), torch.randn(17, 6)
train_loader = DataLoader(TensorDataset(inputs, inputs[:, :3].argmax(1)), batch_size=8, shuffle=True)
val_loader = DataLoader(TensorDataset(others, others[:, :3].argmax(1)), batch_size=6)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()
epochs = 3
@before
for epoch in range(epochs):
    model.train()
    @head
    for i, (x, y) in enumerate(train_loader):
        @top
        optimizer.zero_grad()
        out = model(x)
        loss = criterion(out, y)
        @loss
        loss.backward()
        @back
        optimizer.step()
        @step
    @val
    @end
@behind
print("sum", sum(p.sum().item() for p in model.parameters()))
"""
_VALIDATION = """\
model.eval()
tested = 0.0
with torch.no_grad():
    for a, b in val_loader:
        tested += criterion(model(a), b).item()
print("tested", epoch, tested)"""
_BY_FUNCTION = """\
def test(model, loader, criterion):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for a, b in loader:
            total += criterion(model(a), b).item()
    return total

"""
Fragment = dict[str, str]
FRAGMENTS: dict[str, Fragment] = {
    "told": {"step": 'print(f"{loss:.5f}", "%.4f" % loss, float(loss))'},
    "told as object": {"step": 'print(f"{loss!r}")'},
    "told late": {"end": 'print("late", loss.item(), i, x.shape)'},
    "told behind": {"behind": 'print("behind", loss.item(), i, epoch, y.tolist())'},
    "bound anew": {"step": "loss = loss.item()\nprint(loss)"},
    "other data": {"back": "now = loss", "step": "loss.data = loss.data * 3\nprint(now.item())"},
    "in place": {"back": "now = loss", "step": "loss.detach().mul_(2)\nprint(now.item())"},
    "with its graph": {"before": "kept = []", "step": "kept.append(loss)", "behind": "print([k.requires_grad for k in kept[:2]])"},
    "summed": {"head": "total = 0", "step": "total += loss.detach()", "end": 'print("mean", total / len(train_loader))'},
    "summed with its graph": {"head": "total = 0", "step": "total = total + loss", "end": "print(total)"},
    "smallest": {"before": "best = 1e9", "step": "best = min(best, loss.item())", "end": "print(best)"},
    "scaled": {"loss": "if i == 1:\n    loss = loss * 0.5", "step": "print(loss.item())"},
    "penalty": {"loss": "penalty = sum(p.pow(2).sum() for p in model.parameters())\nloss = loss + 1e-3 * penalty", "step": "print(penalty.item())"},
    "skipped": {"loss": "if i == 2:\n    continue"},
    "another batch": {"top": "x = x + 0.1 * torch.randn(x.size())", "end": "print(x.sum().item())"},
    "batch in place": {"step": "x.mul_(0.5)", "end": "print(x.sum().item())"},
    "counted": {"before": "steps = 0", "step": "steps += 1\nif steps % 3 == 0:\n    steps = 0\n    print(i)", "behind": "print(steps)"},
    "no epochs": {"before": "epochs = 0\nepoch, i, loss, y = -1, 7, torch.zeros(1), torch.zeros(1)\nx = y", "behind": "print(epoch, i)"},
    "left": {"step": "if i >= 2:\n    break", "end": 'print("left", i)'},
    "left by limit": {"before": "limit = 2", "top": "if i >= limit:\n    break", "end": "limit += 1"},
    "stops early": {"before": "bad, least = 0, 1e9", "end": "bad = 0 if loss.item() < least else bad + 1\nleast = min(least, loss.item())\nif bad > 0:\n    break"},
    "saves best": {"before": "lowest = 1e9", "end": 'if loss.item() < lowest:\n    lowest = loss.item()\n    torch.save(model.state_dict(), "best.pt")'},
    "keeps best": {"before": "lowest = 1e9", "end": "if loss.item() < lowest:\n    lowest = loss.item()\n    state = copy.deepcopy(model.state_dict())", "behind": "if epochs:\n    model.load_state_dict(state)"},
    "settings change": {"before": "args = SimpleNamespace(every=2)", "end": 'if epoch % args.every == 0:\n    torch.save(model.state_dict(), f"{epoch}.pt")\nargs.every = 1'},
    "variable": {"top": "x, y = Variable(x), Variable(y)"},
    "variable asked": {"top": "v = Variable(x)", "step": "print(v is x)"},
    "variable shaped": {"top": "v = Variable(x)\nv.unsqueeze_(0)", "step": "print(x.shape)"},
    "tried": {"step": 'try:\n    print(i / (i - 1))\nexcept ZeroDivisionError:\n    print("no number")'},
    "tried inside": {"before": "first = None", "back": 'try:\n    print(f"{first:.3f}")\nexcept Exception:\n    first = loss.item()'},
    "at last": {"step": 'try:\n    print(loss.item())\nfinally:\n    print("done")'},
    "else": {"step": "for j in range(3):\n    if j == 5:\n        break\nelse:\n    if i == 2:\n        continue\nprint(i)"},
    "epoch else": {"end": "for j in range(2):\n    pass\nelse:\n    print(epoch)"},
    "one line": {"step": "u = loss.item(); print(u); u = 0", "end": 'print(u); print("end")'},
    "lambda": {"before": "tell = lambda: print(epoch)", "end": "tell()"},
    "deleted": {"end": "del out"},
    "walrus": {"step": "if (value := loss.item()) < 1.0:\n    print(value)", "end": "print(value)"},
    "window": {"before": "window = deque(maxlen=3)", "step": "window.append(loss.item())", "end": "print(list(window))"},
    "right": {"head": "right, seen = 0, 0", "step": "right += (out.argmax(1) == y).sum().item()\nseen += len(y)", "end": "print(right / seen if seen else 0)"},
    "weights told": {"step": "print(model.last.bias.sum().item())"},
    "gradients told": {"back": "print(model.last.bias.grad.sum().item())"},
    "gradients late": {"end": "print(model.last.bias.grad is None)"},
    "clipped": {"back": "nn.utils.clip_grad_norm_(model.parameters(), 0.5)"},
    "rates": {"before": "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)", "end": 'scheduler.step()\nprint(optimizer.param_groups[0]["lr"])'},
    "rates by hand": {"end": 'for group in optimizer.param_groups:\n    group["lr"] *= 0.7'},
    "draws": {"head": "noise = torch.randn(1)", "step": "print(noise.item())", "end": "print(torch.rand(1).item())"},
    "mode told": {"head": "print(model.training)", "end": "print(model.training)"},
    "first batch": {"end": 'a, b = next(iter(val_loader))\nmodel.eval()\nwith torch.no_grad():\n    print("first", model(a).sum().item())'},
    "limited test": {"end": 'model.eval()\nwith torch.no_grad():\n    for j, (a, b) in enumerate(val_loader):\n        if j >= 2:\n            break\n        print("limited", model(a).sum().item())'},
    "finite": {"step": "if not math.isfinite(loss.item()):\n    raise SystemExit(1)"},
    "bound before": {"before": "loss, out = None, None", "behind": "print(loss is None, out is None)"},
    "epochs change": {"end": "epochs = 10\nprint(epochs)", "behind": "print(epochs, epoch)"},
}  # fmt: skip
ENTRIES = ("module", "main", "train")
EVALUATIONS = ("written out", "by a function", "none")


def draw(seed: int) -> tuple[list[str], str, str]:
    """The fragments of a seed, where the loop stands, and how the model is evaluated."""
    generator = random.Random(seed)
    names = generator.sample(list(FRAGMENTS), generator.choice([2, 3, 4]))
    return names, generator.choice(ENTRIES), generator.choice(EVALUATIONS)


def program(names: list[str], entry: str, evaluation: str) -> str:
    """The program with these fragments."""
    slots: dict[str, list[str]] = {}
    for name in names:
        for slot, lines in FRAGMENTS[name].items():
            slots.setdefault(slot, []).extend(lines.split("\n"))
    shown = {
        "written out": _VALIDATION,
        "by a function": 'print("tested", epoch, test(model, val_loader, criterion))',
        "none": "print(epoch)",
    }[evaluation]
    slots["val"] = shown.split("\n")
    body: list[str] = []
    for line in _SETUP.splitlines():
        mark = line.strip()
        indent = line[: len(line) - len(mark)]
        body += [indent + one for one in slots.get(mark[1:], [])] if mark.startswith("@") else [line]
    head = _HEAD + ("\n" + _BY_FUNCTION if evaluation == "by a function" else "")
    if entry == "module":
        return head + "\n" + "\n".join(body) + "\n"
    start = next(i for i, line in enumerate(body) if line.startswith("epochs = ")) + 1 if entry == "train" else 0
    inner = "\n".join("    " + line for line in body[start:])
    outer = "\n".join("    " + line for line in body[:start])
    given = "model, optimizer, criterion, train_loader, val_loader, epochs" if entry == "train" else ""
    call = f"{outer}\n    {entry}({given})" if outer else f"    {entry}()"
    return f'{head}\ndef {entry}({given}):\n{inner}\n\n\nif __name__ == "__main__":\n{call}\n'
