"""Random programs whose batch holds the right statements in a wrong order, once too often, or not at all, as scripts with a mistake do.

Such a script trains, only not as its author thinks, and so does its conversion: who looks for the mistake compares with it.
"""

from __future__ import annotations

from itertools import permutations

from program_grammar import Choices, Grammar, Lines, dimensions, indented

_PARTS = ("zero", "forward", "backward", "step")
_ORDERS = ["_".join(order) for order in permutations(_PARTS) if order.index("forward") < order.index("backward")]
_GRAMMAR = {
    "order": " ".join(sorted(_ORDERS, key=lambda order: order != "zero_forward_backward_step")),
    "again": "none zero_first zero_before zero_last step backward_retained forward forward_behind",
    "zero": "optimizer model part to_zeros by_hand closure_less_other none",
    "before": "none passes step evaluated forward_only cleared",
    "read": "none epoch_start batch_start after_backward after_step batch_end epoch_end behind",
    "schedule": "none batch_last batch_first before_step epoch epoch_first",
    "mode": "none epoch batch batch_behind eval_at_end eval_behind_step part_in_eval",
    "validation": "none inline with_gradients that_steps",
    "kept": "item tensor output list",
    "optimizer": "sgd momentum adam frozen_part",
    "form": "module function",
}
_PRELUDE = """\
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(26, 4), torch.randint(0, 3, (26,))
loader = DataLoader(TensorDataset(x, y), batch_size=6, shuffle=True)
held_out = DataLoader(TensorDataset(x[:10], y[:10]), batch_size=4)
model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))
"""
_OPTIMIZERS = {
    "sgd": "torch.optim.SGD(model.parameters(), lr=0.05)",
    "momentum": "torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)",
    "adam": "torch.optim.Adam(model.parameters(), lr=0.02)",
    "frozen_part": "torch.optim.SGD(model[3].parameters(), lr=0.05)",
}
_ZEROS = {
    "optimizer": ["optimizer.zero_grad()"],
    "model": ["model.zero_grad()"],
    "part": ["model[0].zero_grad()"],
    "to_zeros": ["optimizer.zero_grad(set_to_none=False)"],
    "by_hand": ["for p in model.parameters():", "    p.grad = None"],
    "closure_less_other": ["optimizer.zero_grad()", "model.zero_grad()"],
    "none": [],
}
_THROUGH_COPIES = "output = functional_call(model, {n: p.clone() for n, p in model.named_parameters()}, (data,))"
"""A forward pass whose backward pass may follow a step, which changes the parameters in place."""
_READ = "print('norm', round(sum(p.grad.norm().item() for p in model.parameters() if p.grad is not None), 5))"


def assemble(c: Choices) -> str:
    """The program for these choices."""
    parts: dict[str, Lines] = {
        "zero": _ZEROS[c["zero"]],
        "forward": ["output = model(data)", "loss = F.cross_entropy(output, target)"],
        "backward": ["loss.backward()"],
        "step": ["optimizer.step()"],
    }
    if c["again"] == "backward_retained":
        parts["backward"] = ["loss.backward(retain_graph=True)", "loss.backward()"]
    if c["again"] == "step":
        parts["step"] *= 2
    if c["read"] in ("after_backward", "after_step"):
        parts[c["read"].removeprefix("after_")].append(_READ)
    if c["schedule"] == "before_step":
        parts["step"] = ["scheduler.step()", *parts["step"]]
    if c["mode"] == "eval_behind_step":
        parts["step"].append("model.eval()")
    order = c["order"].split("_")
    if order.index("forward") < order.index("step") < order.index("backward"):
        parts["forward"][0] = _THROUGH_COPIES
    if c["again"] == "zero_before":
        parts["backward"] = [*_ZEROS["optimizer"], *parts["backward"]]
    batch: Lines = [line for name in order for line in parts[name]]
    batch = _beside(c, batch)
    lines = _before(c)
    lines += ["kept = []", "for epoch in range(2):", *indented(_epoch(c, batch))]
    lines += [_READ] if c["read"] == "behind" else []
    if c["form"] == "function":
        lines = ["def main():", *indented(lines), "", "", "main()"]
    schedule = [] if c["schedule"] == "none" else ["scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)"]
    made = [f"optimizer = {_OPTIMIZERS[c['optimizer']]}", *schedule]
    made += ["model[1].eval()"] if c["mode"] == "part_in_eval" else []
    ends = ["print([round(p.sum().item(), 6) for p in model.parameters()])", "print(model.training)"]
    return _PRELUDE + "\n".join([*made, *lines, *ends]) + "\n"


def _beside(c: Choices, batch: Lines) -> Lines:
    """What stands around the four parts in the batch."""
    first, last = [], []
    first += ["optimizer.zero_grad()"] if c["again"] == "zero_first" else []
    first += ["model(data)"] if c["again"] == "forward" else []
    first += [_READ] if c["read"] == "batch_start" else []
    first += ["scheduler.step()"] if c["schedule"] == "batch_first" else []
    first += ["model.train()"] if c["mode"] == "batch" else []
    last += ["print('again', round(model(data).sum().item(), 5))"] if c["again"] == "forward_behind" else []
    last += ["optimizer.zero_grad()"] if c["again"] == "zero_last" else []
    last += ["scheduler.step()"] if c["schedule"] == "batch_last" else []
    last += ["model.train()"] if c["mode"] == "batch_behind" else []
    last += [_READ] if c["read"] == "batch_end" else []
    kept = {
        "item": "kept.append(loss.item())",
        "tensor": "kept.append(loss.detach())",
        "output": "kept.append(output.argmax(1).sum().item())",
        "list": "kept = [*kept, round(loss.item(), 6)][-3:]",
    }
    return [*first, *batch, kept[c["kept"]], *last]


def _epoch(c: Choices, batch: Lines) -> Lines:
    start = ["model.train()"] if c["mode"] in ("epoch", "eval_at_end", "eval_behind_step") else []
    start += [_READ] if c["read"] == "epoch_start" else []
    start += ["scheduler.step()"] if c["schedule"] == "epoch_first" else []
    end = ["scheduler.step()"] if c["schedule"] == "epoch" else []
    end += [_READ] if c["read"] == "epoch_end" else []
    end += ["print(epoch, float(sum(kept)), len(kept))"]
    end += _validation(c)
    end += ["model.eval()"] if c["mode"] == "eval_at_end" else []
    return [*start, "for data, target in loader:", *indented(batch), *end]


def _validation(c: Choices) -> Lines:
    body = ["right += (model(inputs).argmax(1) == labels).sum().item()"]
    if c["validation"] == "none":
        return []
    if c["validation"] == "that_steps":
        body = ["F.cross_entropy(model(inputs), labels).backward()", *body]
        return ["right = 0", "for inputs, labels in held_out:", *indented(body), "optimizer.step()", "print(right)"]
    loop = ["for inputs, labels in held_out:", *indented(body)]
    if c["validation"] == "inline":
        loop = ["with torch.no_grad():", *indented(loop)]
    return ["model.eval()", "right = 0", *loop, "print(right)"]


def _before(c: Choices) -> Lines:
    passes = ["F.cross_entropy(model(x), y).backward()"]
    return {
        "passes": passes,
        "step": [*passes, "optimizer.step()"],
        "evaluated": ["model.eval()", "print(round(model(x).sum().item(), 5))"],
        "forward_only": ["print(round(model(x).sum().item(), 5))"],
        "cleared": [*passes, "optimizer.zero_grad()"],
    }.get(c["before"], [])


ORDERS = Grammar("orders", dimensions(_GRAMMAR), assemble, frozenset({"order"}), plainness=(0.5, 0.7))
