"""Random programs that end their training by a counter of epochs without a better value: what Lightning's callback counts, and what only looks like it.

The values are drawn with the program: ties, numbers that are none, infinite ones. How many epochs run, and what is printed, tells a wrong stop.
"""

from __future__ import annotations

import random

from program_grammar import Choices, Grammar, Lines, dimensions, indented

_GRAMMAR = {
    "test": "less mirrored greater equal_too not_worse delta delta_from_best last_value",
    "start": "infinite zero large late",
    "stop": "at_least more equal mirrored_stop with_condition never_reset",
    "where": "under_worse behind counted_first counted_behind",
    "place": "plain if_epoch for try with while",
    "beside": "none said saved told_epoch counter_shown read_after reset_elsewhere work_behind skipped other_stop second in_function",
    "patience": "constant setting name zero",
    "values": "plain ties odd",
    "draw": "0 1 2 3 4 5 6 7 8 9",
    "form": "module function",
}
_PRELUDE = """\
import argparse
import contextlib

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
settings = argparse.Namespace(patience=2)
loader = DataLoader(TensorDataset(torch.randn(8, 3), torch.randn(8, 1)), batch_size=4, shuffle=True)
model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
"""
_TESTS = {
    "less": "score < best", "mirrored": "best > score", "greater": "score > best", "equal_too": "score <= best", "not_worse": "not score >= best",
    "delta": "score + 0.25 < best", "delta_from_best": "score < best - 0.25", "last_value": "score < last",
}  # fmt: skip
_STARTS = {"infinite": "float('inf')", "zero": "0", "large": "100.0", "late": "2.5"}


def assemble(c: Choices) -> str:
    """The program for these choices."""
    start = _STARTS[c["start"]]
    if c["test"] == "greater" and c["start"] == "infinite":
        start = "-float('inf')"
    patience = {"constant": "2", "setting": "settings.patience", "name": "wanted", "zero": "0"}[c["patience"]]
    turn = placed(c, _counter(c, patience))
    before = {"skipped": ["if epoch == 3:", "    continue"], "other_stop": ["if epoch == 6:", "    break"],
              "reset_elsewhere": ["if epoch == 2:", "    waited = 0"]}.get(c["beside"], [])  # fmt: skip
    if c["beside"] == "second":
        before = ["if score == 3.0:", "    worse += 1", "else:", "    worse = 0"]
    behind = ["last = score"] if c["test"] == "last_value" else []
    behind += ["print('behind', epoch)"] if c["beside"] == "work_behind" else []
    lines = [f"best, waited, last = {start}, 0, {start}", "worse = 0", "wanted = 2", "for epoch in range(9):"]
    batch = ["for x, y in loader:", "    loss = nn.functional.mse_loss(model(x), y)", "    optimizer.zero_grad()", "    loss.backward()", "    optimizer.step()"]  # fmt: skip
    lines += indented(
        [*batch, "score = float(scores[epoch])", "print(epoch, score, loss.item())", *before, *turn, *behind]
    )
    lines += ["print(waited)"] if c["beside"] == "read_after" else []
    lines += ["print('end', epoch, best, worse)"] if c["beside"] in ("saved", "second") else []
    if c["beside"] == "in_function":
        lines = [*lines[:3], "def shown():", "    return waited", *lines[3:], "print(shown())"]
    if c["form"] == "function":
        lines = ["def main():", *indented(lines), "", "", "main()"]
    ends = "print(sum(p.sum().item() for p in model.parameters()))"
    return f"{_PRELUDE}scores = [{', '.join(_values(c))}]\n" + "\n".join([*lines, ends]) + "\n"


def _values(c: Choices) -> Lines:
    generator = random.Random(f"{c['draw']} {c['values']}")
    options = {"plain": [f"{n / 4}" for n in range(1, 16)], "ties": ["1.0", "2.0", "3.0"],
               "odd": ["1.0", "2.0", "float('nan')", "float('inf')", "0.0", "-1.0"]}[c["values"]]  # fmt: skip
    return [generator.choice(options) for _ in range(9)]


def _counter(c: Choices, patience: str) -> Lines:
    test = {"at_least": f"waited >= {patience}", "more": f"waited > {patience}", "equal": f"waited == {patience}",
            "mirrored_stop": f"{patience} <= waited", "with_condition": f"waited >= {patience} and epoch > 3"}.get(c["stop"], f"waited >= {patience}")  # fmt: skip
    said = {"said": ["    print('stop')"], "told_epoch": ["    print('stop', epoch)"]}.get(c["beside"], [])
    stop = [f"if {test}:", *said, "    break"]
    better = ["best = score"] + ([] if c["stop"] == "never_reset" else ["waited = 0"])
    better += ["print('better', best)"] if c["beside"] == "saved" else []
    shown = ["print(waited)"] if c["beside"] == "counter_shown" else []
    count, head = ["waited += 1", *shown], f"if {_TESTS[c['test']]}:"
    if c["where"] == "counted_first":
        return [*count, head, *indented(better), *stop]
    if c["where"] == "behind":
        return [head, *indented(better), "else:", *indented(count), *stop]
    worse = [*stop, *count] if c["where"] == "counted_behind" else [*count, *stop]
    return [head, *indented(better), "else:", *indented(worse)]


def placed(c: Choices, lines: Lines) -> Lines:
    """The lines where the choice wants them."""
    inner = indented(lines)
    places = {
        "if_epoch": ["if epoch > 1:", *inner], "for": ["for _ in range(1):", *inner], "try": ["try:", *inner, "finally:", "    print('tried')"],
        "with": ["with contextlib.nullcontext():", *inner], "while": ["turns = 0", "while turns < 1:", "    turns += 1", *inner],
    }  # fmt: skip
    return places.get(c["place"], lines)


PATIENCE = Grammar(
    "patience", dimensions(_GRAMMAR), assemble, frozenset({"values", "draw", "where", "start"}), plainness=(0.7, 0.9)
)
