"""Random programs whose epochs run over phases: one body that trains in one turn and evaluates in another, and what stands around it."""

from __future__ import annotations

from program_grammar import Choices, Grammar, Lines, dimensions, indented

_GRAMMAR = {
    "head": "list tuple name items keys pairs booleans three turned",
    "mode": "branches flag conditional none",
    "loader": "direct subscript chosen called",
    "gradients": "block statement no_grad_branch recorded",
    "clear": "first before_backward after_step in_training twice",
    "step": "inner outer scaled clipped",
    "sums": "floats tensors lists meter",
    "told": "format fstring percent spec batches none",
    "schedule": "none in_training start plateau behind",
    "best": "none copied saved printed",
    "stop": "none patience skipped",
    "read": "none behind in_function in_lambda gradients",
    "after": "none more_training evaluation",
    "form": "module function nested",
    "draws": "none shuffled random",
    "history": "none dict list",
}
_PRELUDE = """\
import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.randn(26, 4), torch.randint(0, 3, (26,))
train_set, val_set = TensorDataset(x[:18], y[:18]), TensorDataset(x[18:], y[18:])
train_loader = DataLoader(train_set, batch_size=5, shuffle=True)
val_loader = DataLoader(val_set, batch_size=5{shuffle})
loaders = {{"train": train_loader, "val": val_loader}}
model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 3))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
"""
_HEADS = {
    "list": 'for phase in ["train", "val"]:', "tuple": 'for phase in ("train", "val"):', "name": "for phase in phases:",
    "items": "for phase, loader in loaders.items():", "keys": "for phase in loaders:",
    "pairs": 'for phase, loader in [("train", train_loader), ("val", val_loader)]:', "booleans": "for is_train in (True, False):",
    "three": 'for phase in ["train", "val", "again"]:', "turned": 'for phase in ["val", "train"]:',
}  # fmt: skip


def assemble(c: Choices) -> str:
    """The program for these choices."""
    trains = "is_train" if c["head"] == "booleans" else 'phase == "train"'
    name = "is_train" if c["head"] == "booleans" else "phase"
    turn = [*_mode(c, trains), *_loader(c, trains), *_start(c), *_batches(c, trains), *_end(c, trains, name)]
    epoch = [_HEADS[c["head"]], *indented(turn)]
    epoch += ["scheduler.step()"] if c["schedule"] == "behind" else []
    epoch += [f"print({name})"] if c["read"] == "behind" else []
    epoch += ["if waited >= 1:", "    print('stop', epoch)", "    break"] if c["stop"] == "patience" else []
    lines = [
        "best, waited, kept = 100.0, 0, None",
        'history = {"train": [], "val": [], "again": [], True: [], False: []}',
        "told, asked = [], []",
    ]
    if c["head"] == "name":
        lines += ['phases = ["train", "val"]']
    if c["head"] == "three":
        lines += ['loaders["again"] = val_loader']
    if c["read"] == "in_function" and c["form"] != "nested":
        lines += ["def said():", f"    return str({name})"]
    lines += ["for epoch in range(3):", *indented(epoch), *_after(c)]
    made = _scheduler(c)
    if c["form"] != "module":
        lines = ["def main():", *indented([*made, *lines]), "", "", "main()"]
        made = []
    shuffle = ", shuffle=True" if c["draws"] == "shuffled" else ""
    ends = "print(sum(p.sum().item() for p in model.parameters()), torch.rand(1).item())"
    return _PRELUDE.format(shuffle=shuffle) + "\n".join([*made, *lines, ends]) + "\n"


def _scheduler(c: Choices) -> Lines:
    if c["schedule"] == "none":
        return []
    kind = "ReduceLROnPlateau(optimizer, patience=0" if c["schedule"] == "plateau" else "StepLR(optimizer, 1, gamma=0.5"
    return [f"scheduler = torch.optim.lr_scheduler.{kind})"]


def _mode(c: Choices, trains: str) -> Lines:
    lines = {
        "branches": [f"if {trains}:", "    model.train()", "else:", "    model.eval()"],
        "flag": [f"model.train({trains})"],
        "conditional": [f"model.train() if {trains} else model.eval()"],
        "none": [],
    }[c["mode"]]
    if c["stop"] == "skipped":
        lines = [f"if not ({trains}) and epoch == 1:", "    continue", *lines]
    if c["schedule"] == "start":
        lines = [*lines, f"if {trains}:", "    scheduler.step()"]
    if c["gradients"] == "statement":
        lines = [*lines, f"torch.set_grad_enabled({trains})"]
    return lines


def _loader(c: Choices, trains: str) -> Lines:
    if c["head"] in ("items", "pairs"):
        return []
    if c["loader"] == "chosen":
        return [f"if {trains}:", "    loader = train_loader", "else:", "    loader = val_loader"]
    if c["loader"] == "called":
        return [f"loader = train_loader if {trains} else val_loader"]
    return [] if c["loader"] == "direct" else [f"loader = {_looked_up(c)}"]


def _looked_up(c: Choices) -> str:
    key = '"train" if is_train else "val"' if c["head"] == "booleans" else "phase"
    return f"loaders[{key}]"


def _loader_text(c: Choices) -> str:
    """What the batch loop runs over."""
    return _looked_up(c) if c["loader"] == "direct" and c["head"] not in ("items", "pairs") else "loader"


def _start(c: Choices) -> Lines:
    return {"floats": ["total, seen = 0.0, 0"], "tensors": ["total, seen = torch.zeros(()), 0"], "lists": ["losses = []"],
            "meter": ['sums = {"total": 0.0, "seen": 0}']}[c["sums"]]  # fmt: skip


def _batches(c: Choices, trains: str) -> Lines:
    clear = ["optimizer.zero_grad()"]
    step = {
        "scaled": ["(loss * 2).backward()"],
        "clipped": ["loss.backward()", "nn.utils.clip_grad_norm_(model.parameters(), 0.5)"],
    }.get(c["step"], ["loss.backward()"])
    step = [*step, "optimizer.step()"]
    step = [
        *(clear if c["clear"] in ("before_backward", "twice") else []),
        *step,
        *(clear if c["clear"] == "after_step" else []),
    ]
    forward = ["outputs = model(inputs)", "loss = criterion(outputs, labels)"]
    training = [f"if {trains}:", *indented(step)]
    if c["gradients"] == "block":
        inner = [*forward, *(training if c["step"] == "inner" else [])]
        body = [
            f"with torch.set_grad_enabled({trains}):",
            *indented(inner),
            *([] if c["step"] == "inner" else training),
        ]
    elif c["gradients"] == "no_grad_branch":
        body = [
            f"if {trains}:",
            *indented(forward),
            "else:",
            "    with torch.no_grad():",
            *indented(indented(forward)),
            *training,
        ]
    else:
        body = [*forward, *training]
    first = (
        clear
        if c["clear"] in ("first", "twice")
        else [f"if {trains}:", *indented(clear)]
        if c["clear"] == "in_training"
        else []
    )
    noise = ["inputs = inputs + 0.1 * torch.randn_like(inputs)"] if c["draws"] == "random" else []
    add = {
        "floats": ["total += loss.item() * len(labels)", "seen += len(labels)"],
        "tensors": ["total = total + loss.detach() * len(labels)", "seen += len(labels)"],
        "lists": ["losses.append(loss.item())"],
        "meter": ['sums["total"] += loss.item() * len(labels)', 'sums["seen"] += len(labels)'],
    }[c["sums"]]
    told = (
        ["if i % 2 == 0:", f"    print({'is_train' if c['head'] == 'booleans' else 'phase'}, i, loss.item())"]
        if c["told"] == "batches"
        else []
    )
    asked = (
        [f"asked.append(lambda: {'is_train' if c['head'] == 'booleans' else 'phase'})"]
        if c["read"] == "in_lambda"
        else []
    )
    return [
        f"for i, (inputs, labels) in enumerate({_loader_text(c)}):",
        *indented([*noise, *first, *body, *add, *told, *asked]),
    ]


def _end(c: Choices, trains: str, name: str) -> Lines:
    mean = {
        "floats": "total / seen",
        "tensors": "(total / seen).item()",
        "lists": "sum(losses) / len(losses)",
        "meter": 'sums["total"] / sums["seen"]',
    }[c["sums"]]
    lines = [f"mean = {mean}"]
    if c["schedule"] == "in_training":
        lines += [f"if {trains}:", "    scheduler.step()"]
    lines += {
        "format": [f'print("{{}} {{}} {{:.6f}}".format(epoch, {name}, mean))'],
        "fstring": [f"print(f'{{{name}}} {{mean:.6f}}', len({_loader_text(c)}))"],
        "percent": [f'print("%s %.6f" % ({name}, mean))'],
        "spec": [f'print(f"{{{name}!s:>7}} {{str({name}).upper()}} {{mean:.6f}}")'],
    }.get(c["told"], [])
    if c["read"] == "gradients":
        lines += ["print(sum(p.grad is not None for p in model.parameters()))"]
    if c["read"] == "in_lambda":
        lines += ["print(asked[0]())"]
    if c["read"] == "in_function" and c["form"] == "module":
        lines += ["print(said())"]
    if c["history"] == "dict":
        lines += [f"history[{name}].append(mean)"]
    elif c["history"] == "list":
        lines += [f"if not ({trains}):", "    told.append(mean)"]
    if c["schedule"] == "plateau":
        lines += [f"if not ({trains}):", "    scheduler.step(mean)"]
    better = {
        "copied": ["kept = copy.deepcopy(model.state_dict())"],
        "saved": ["torch.save(model.state_dict(), 'best.pt')"],
    }.get(c["best"], ["print('better')"])
    if c["best"] != "none" or c["stop"] == "patience":
        lines += [
            f"if not ({trains}):",
            "    if mean < best - 0.01:",
            "        best, waited = mean, 0",
            *indented(indented(better)),
            "    else:",
            "        waited += 1",
        ]
    return lines


def _after(c: Choices) -> Lines:
    lines = ["if kept is not None:", "    model.load_state_dict(kept)"] if c["best"] == "copied" else []
    lines += ["torch.set_grad_enabled(True)"] if c["gradients"] == "statement" else []
    lines += ["print(history, told, best)"] if c["history"] != "none" else []
    if c["after"] == "more_training":
        lines += [
            "for inputs, labels in train_loader:",
            "    criterion(model(inputs), labels).backward()",
            "    optimizer.step()",
            "    optimizer.zero_grad()",
        ]
    if c["after"] == "evaluation":
        lines += [
            "model.eval()",
            "with torch.no_grad():",
            "    print(sum(criterion(model(a), b).item() for a, b in val_loader))",
        ]
    return lines


PHASES = Grammar("phases", dimensions(_GRAMMAR), assemble, frozenset({"head", "loader", "clear"}), plainness=(0.6, 0.8))
