"""Random programs that put what idioms claim where it may not always run, or not once: under conditions, in loops and blocks, beside others.

An idiom sees one statement. These programs try what stands around it (``place``) and what stands beside it (``beside``).
"""

from __future__ import annotations

from program_grammar import Choices, Grammar, Lines, dimensions, indented

_GRAMMAR = {
    "statement": (
        "clip_norm clip_value clip_setting postfix described counted move guarded_move delete mode no_grad window limit "
        "schedule clock elapsed meter"
    ),
    "place": (
        "plain if_epoch if_index if_random if_drawn if_else for for_drawn while try finally no_grad noted nested "
        "in_function after_continue within_try_for"
    ),
    "beside": "none same_before same_after other_before other_after guarded_after reader_before reader_after noise_after",
    "optimization": "automatic manual accumulated",
    "zero": "before between after",
    "validation": "none inline function",
    "form": "module function",
    "epochs": "range from_one",
}
_PRELUDE = """\
import argparse
import contextlib
import itertools
import random
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

ticks = [0]


def now():
    return ticks[0] + 0 * time.perf_counter()


class Data(Dataset):
    def __init__(self, rows):
        self.x, self.y = torch.randn(rows, 4), torch.randn(rows, 1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        ticks[0] += 1
        return self.x[index], self.y[index]


class Timed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ticks[0] += 100
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        ticks[0] += 10000
        return gradient


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 1))

    def forward(self, x):
        return Timed.apply(self.layers(x))


class Descent(torch.optim.SGD):
    def step(self, closure=None):
        found = super().step(closure)
        ticks[0] += 1000000
        return found


class Meter:
    def __init__(self):
        self.begin, self.sum = 0, 0

    def start(self):
        self.begin = now()

    def stop(self):
        self.sum += now() - self.begin


@contextlib.contextmanager
def noted(what):
    print("begin", what)
    yield
    print("end", what)


def norm_of(model):
    return sum(p.grad.norm().item() for p in model.parameters())


random.seed(0)
torch.manual_seed(0)
settings = argparse.Namespace(clip=0.05, limit=3)
device = torch.device("cpu")
loader = DataLoader(Data(28), batch_size=4, shuffle=True)
val_loader = DataLoader(Data(8), batch_size=4)
model = Net()
optimizer = Descent(model.parameters(), lr=0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.9)
meter = Meter()


"""
_NORM, _VALUE = (
    "nn.utils.clip_grad_norm_(model.parameters(), 0.05)",
    "nn.utils.clip_grad_value_(model.parameters(), 0.02)",
)
_STATEMENTS: dict[str, tuple[str, Lines]] = {
    "clip_norm": ("between", [_NORM]),
    "clip_value": ("between", [_VALUE]),
    "clip_setting": ("between", ["nn.utils.clip_grad_norm_(model.parameters(), settings.clip)"]),
    "postfix": ("after", ["bar.set_postfix(loss=loss.item())"]),
    "described": ("after", ['bar.set_description(f"{epoch}: {loss.item():.3f}")']),
    "counted": ("after", ["bar.refresh()"]),
    "move": ("top", ["x, y = x.to(device), y.to(device)"]),
    "guarded_move": ("top", ["if torch.cuda.is_available():", "    x, y = x.cuda(), y.cuda()"]),
    "delete": ("after", ["copy = x * 2", "del copy"]),
    "mode": ("top", ["model = model.train()"]),
    "no_grad": ("validation", []),
    "window": ("none", []),
    "limit": ("end", ["if i + 1 >= settings.limit:", "    break"]),
    "schedule": ("after", ["scheduler.step()"]),
    "clock": ("after", ["spent += now() - begin", "begin = now()"]),
    "elapsed": ("between", ["spent += now() - begin"]),
    "meter": ("after", ["meter.stop()", "meter.start()"]),
}
_OTHER = {
    "clip_norm": [_VALUE], "clip_value": [_NORM], "clip_setting": [_VALUE], "postfix": ["bar.set_description('batch')"],
    "described": ["bar.set_postfix(loss=2 * loss.item(), number=i)"], "counted": ["bar.set_postfix(number=i)"],
    "move": ["x = x * 1.5"], "guarded_move": ["x = x.to(device) * 1.5"], "mode": ["model.eval()", "model.train()"],
    "schedule": ["optimizer.param_groups[0]['lr'] *= 0.95"], "elapsed": [_NORM],
    "clock": ["seen += loss.item()"], "meter": ["print(now() - begin)"],
}  # fmt: skip


def assemble(c: Choices) -> str:
    """The program for these choices."""
    slots: dict[str, Lines] = {"top": [], "between": [], "after": [], "end": [], "validation": [], "none": []}
    slot, lines = _STATEMENTS[c["statement"]]
    slots[slot] += _beside(c, lines, slot)
    body = _batch(c, slots)
    head = "for i, (x, y) in enumerate(bar):"
    if c["statement"] == "no_grad" and c["validation"] == "none":
        c = {**c, "validation": "inline"}
    evaluation = _validation(c)
    epochs = "range(1, 4)" if c["epochs"] == "from_one" else "range(3)"
    epoch = [f"for epoch in {epochs}:", "    spent = seen = 0", "    begin = now()", "    meter.start()"]
    epoch += ["    bar = tqdm(loader)", f"    {head}", *indented(indented(body)), *indented(evaluation)]
    told = "print(epoch, loss.item(), norm_of(model), spent, seen, meter.sum, optimizer.param_groups[0]['lr'])"
    if c["zero"] == "after" or c["optimization"] == "accumulated" or c["statement"] == "window":
        told = told.replace("norm_of(model), ", "")
    epoch += [f"    {told}", "    print(torch.rand(1).item(), random.random())"]
    if c["form"] == "function":
        epoch = ["def main(model):", *indented(epoch), "", "", "main(model)"]
    defined = []
    if c["validation"] == "function":
        defined = ["def evaluate(model):", *indented([*_evaluation(c), "return total"]), "", ""]
    return _PRELUDE + "\n".join([*defined, *epoch, "print(sum(p.sum().item() for p in model.parameters()))"]) + "\n"


def _batch(c: Choices, slots: dict[str, Lines]) -> Lines:
    zero = ["optimizer.zero_grad()"]
    loss = ["loss = nn.functional.mse_loss(model(x), y)"]
    before, between, after = (zero if c["zero"] == place else [] for place in ("before", "between", "after"))
    if c["optimization"] == "manual":
        loss += ["(0.1 * model(x).mean()).backward(retain_graph=True)"]
        before, between = [*zero], []
        after = []
    step = [*slots["between"], "optimizer.step()", *after]
    if c["optimization"] == "accumulated" or c["statement"] == "window":
        before = between = []
        loss = ["loss = nn.functional.mse_loss(model(x), y) / 2"]
        window = [
            "if (i + 1) % 2 == 0 or i + 1 == len(loader):",
            *indented([*slots["between"], "optimizer.step()", *zero]),
        ]
        step = placed(c, window) if c["statement"] == "window" and c["place"] != "after_continue" else window
    skip = ["if i == 2:", "    continue"] if c["place"] == "after_continue" else []
    if skip and c["zero"] == "between":
        before, between = between, []
    return [*slots["top"], *before, *skip, *loss, *between, "loss.backward()", *step, *slots["after"], *slots["end"]]


def _beside(c: Choices, lines: Lines, slot: str) -> Lines:
    beside = c["beside"]
    own = placed(c, lines)
    other = _OTHER.get(c["statement"], ["print(i)"])
    reader = (
        ["print(norm_of(model))"] if slot == "between" else ["print(loss.item())"] if slot == "after" else ["print(i)"]
    )
    noise = ["for p in model.parameters():", "    p.grad += 0.01"] if slot == "between" else ["print(random.random())"]
    around = {
        "same_before": [*lines, *own], "same_after": [*own, *lines], "other_before": [*other, *own],
        "other_after": [*own, *other], "guarded_after": [*own, "if i % 2:", *indented(other)],
        "reader_before": [*reader, *own], "reader_after": [*own, *reader], "noise_after": [*own, *noise],
    }  # fmt: skip
    return around.get(beside, own)


def placed(c: Choices, lines: Lines) -> Lines:
    """The lines where the choice wants them."""
    if not lines:
        return []
    inner = indented(lines)
    if (
        c["place"] in ("for", "for_drawn", "while", "nested", "in_function", "within_try_for")
        and c["statement"] == "limit"
    ):
        return lines
    if c["place"] == "in_function":
        return _in_function(lines)
    places: dict[str, Lines] = {
        "if_epoch": ["if epoch > 1:", *inner],
        "if_index": ["if i % 2:", *inner],
        "if_random": ["if random.random() < 0.5:", *inner],
        "if_drawn": ["if torch.rand(1).item() < 0.5:", *inner],
        "if_else": ["if i % 3:", '    print("other")', "else:", *inner],
        "for": ["for _ in range(2):", *inner],
        "for_drawn": ["for turn in range(random.randint(0, 2)):", *inner],
        "while": ["turns = 0", "while turns < 2:", *inner, "    turns += 1"],
        "try": ["try:", *inner, "except RuntimeError:", '    print("failed")'],
        "finally": ["try:", *inner, "finally:", '    print("done")'],
        "no_grad": ["with torch.no_grad():", *inner],
        "noted": ['with noted("here"):', *inner],
        "nested": ["if epoch > 0:", "    for _ in range(2):", *indented(inner)],
        "within_try_for": ["for turn in (1, 2):", "    try:", *indented(inner), "    finally:", "        print(turn)"],
    }
    return places.get(c["place"], lines)


def _in_function(lines: Lines) -> Lines:
    text = "\n".join(lines)
    if "spent" in text or "begin" in text or "x, y" in text or "model = " in text or "break" in text:
        return lines
    return ["def act():", *indented(lines), "act()"]


def _evaluation(c: Choices) -> Lines:
    loop = ["for x, y in val_loader:", "    total += nn.functional.mse_loss(model(x), y).item()"]
    whole = ["with torch.no_grad():", *indented(loop)]
    if c["statement"] == "no_grad":
        step = ["with torch.no_grad():", "    total += nn.functional.mse_loss(model(x), y).item()"]
        place = (
            c["place"] if c["place"] not in ("if_index", "nested", "if_else", "in_function", "if_epoch") else "plain"
        )
        whole = ["for x, y in val_loader:", *indented(placed({**c, "place": place}, step))]
    return ["total = 0.0", "model.eval()", *whole, "model.train()"]


def _validation(c: Choices) -> Lines:
    if c["validation"] == "function":
        return ["print(evaluate(model))"]
    return [*_evaluation(c), "print(total)"] if c["validation"] == "inline" else []


PLACEMENTS = Grammar(
    "placements", dimensions(_GRAMMAR), assemble, frozenset({"statement", "place"}), plainness=(0.5, 0.8)
)
