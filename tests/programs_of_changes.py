"""Random programs in which the loop itself changes what a trainer fixes when it starts, in nests of every kind.

Data that grow, optimizers and loaders bound anew, groups that come late, hooks, parametrizations, factories: each dimension adds
its statements to a straight program, and tests/program_nesting.py puts that into functions, closures and classes.
"""

from __future__ import annotations

from collections.abc import Mapping

from program_grammar import Choices, Grammar, Lines, dimensions, indented
from program_nesting import EPOCH_FORMS, Straight, nested, renamed

_TABLE = {
    "entry": "module main guard twice",
    "epoch_form": " ".join(EPOCH_FORMS),
    "step_form": "inline globals closure params",
    "names": "usual short long",
    "loops": "range from_one resumed while list counted",
    "data": "tensors own rows",
    "length": (
        "none limit_tripled limit_shrinks grows_by_method grows_by_append subset_grows batch_size num_samples "
        "second_epoch swapped_tensors swapped_inside curriculum_loader grows_in_batch grows_at_end same_length"
    ),
    "batches": "plain enumerate tqdm bar_if_asked zip islice two_loaders next full_loader_list",
    "sampler": "none generator loader_generator epoch own_with_epoch weights_change subset_random permutation",
    "grow_group": "none epoch_start batch epoch_end at_start two",
    "unfreeze": "none one_at_a_time head backwards by_name freeze_later",
    "holds": "all subset chosen groups",
    "zero": "before between after model model_after not_none none_grads end_of_epoch",
    "rebind": "none optimizer optimizer_always model loader scheduler criterion lr_by_new",
    "hooks": "none forward forward_pre backward gradient removed counted",
    "parametrization": "none weight_norm spectral_norm tied removed initialised",
    "factory": "none function dictionary dataclass partial lambda namespace pair",
    "scheduler": "none epoch batch dictionary grown_list plateau cosine_restarts guarded",
    "clip": "none norm guarded_epoch guarded_batch value_then_norm kept",
    "clock": "none around_step",
    "ema": "none object_with_step averaged by_hand",
    "evaluated": "none inline by_flag every_two",
    "best": "none best patience snapshot",
    "accumulate": "none two carried",
    "skip": "none first_epoch odd_batches nan",
    "device": "none string chosen argument",
    "container": "none dictionary list",
    "sums": "float tensor list meter",
    "random": "none drawn_at_start noise_in_batch dataset",
    "counter": "none steps dictionary",
    "mode": "epoch none batch",
}
DIMENSIONS = dimensions(_TABLE)
_IMPORTS = """\
import argparse
import copy
import functools
import itertools
import random
import time
from dataclasses import dataclass
from types import SimpleNamespace

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, Subset, SubsetRandomSampler, TensorDataset, WeightedRandomSampler
from tqdm import tqdm


"""
_NAMES = {
    "short": {"model": "net", "optimizer": "opt", "loader": "dl", "loss": "l", "data": "ds", "epoch": "ep"},
    "long": {
        "model": "classifier",
        "optimizer": "sgd",
        "loader": "train_data_loader",
        "loss": "batch_loss",
        "x": "inputs",
    },
}
_LATE = {
    "limit_tripled",
    "limit_shrinks",
    "grows_by_method",
    "second_epoch",
    "same_length",
    "grows_in_batch",
    "grows_at_end",
}


class ChangeProgram:
    """The program for some choices."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        self.c = choices

    def at(self, name: str, *options: str) -> bool:
        return self.c[name] in options

    def grows(self) -> bool:
        """Whether no new optimizer holds what another group would give it, and no schedule has a rate for each group it knows."""
        return not self.at("scheduler", "cosine_restarts") and not self.at(
            "rebind", "optimizer", "optimizer_always", "lr_by_new", "model"
        )

    def text(self) -> str:
        """The whole program."""
        program = Straight(
            self.top(), self.setup(), self.epochs(), self.start(), self.batches(), self.batch(), self.end(),
            self.final(), ["turn += 1"] if self.at("loops", "while") else None,
        )  # fmt: skip
        lines = nested(program, self.c["epoch_form"], self.c["step_form"], self.c["entry"])
        text = _IMPORTS + "\n".join(lines) + "\n"
        return renamed(text, _NAMES[self.c["names"]]) if self.c["names"] in _NAMES else text

    # ---- definitions

    def own_data(self) -> bool:
        return self.at("data", "own") or self.c["length"] in _LATE or self.at("random", "dataset")

    def top(self) -> Lines:
        """Classes and functions."""
        lines: Lines = []
        if self.own_data():
            noise = " + 0.1 * torch.randn(5)" if self.at("random", "dataset") else ""
            lines += ["class Rows(Dataset):", "    def __init__(self, limit):"]
            lines += [
                "        self.x = torch.randn(36, 5)",
                "        self.y = self.x[:, :3].argmax(1)",
                "        self.limit = limit",
                "",
            ]
            lines += ["    def grow(self, more):", "        self.limit = min(36, self.limit + more)", ""]
            lines += ["    def __len__(self):", "        return self.limit", ""]
            lines += ["    def __getitem__(self, i):", f"        return self.x[i]{noise}, self.y[i]", "", ""]
        lines += ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        lines += [
            "        self.first = nn.Linear(5, 8)",
            "        self.second = nn.Linear(8, 8)",
            "        self.head = nn.Linear(8, 3)",
        ]
        if self.at("parametrization", "tied"):
            lines += [
                "        self.second.weight = nn.Parameter(torch.randn(8, 8) * 0.3)",
                "        self.third = nn.Linear(8, 8)",
            ]
            lines += ["        self.third.weight = self.second.weight"]
        if self.at("parametrization", "initialised"):
            lines += [
                "",
                "    def reset(self):",
                "        for p in self.parameters():",
                "            nn.init.normal_(p, 0.0, 0.2)",
            ]
        third = "h = torch.relu(self.third(h))" if self.at("parametrization", "tied") else ""
        lines += [
            "",
            "    def forward(self, x):",
            "        h = torch.relu(self.first(x))",
            "        h = torch.relu(self.second(h))",
        ]
        lines += [f"        {third}"] if third else []
        lines += ["        return self.head(h)", "", ""]
        if self.at("sampler", "own_with_epoch"):
            lines += [
                "class Seeded(Sampler):",
                "    def __init__(self, data):",
                "        self.data, self.epoch = data, 0",
                "",
            ]
            lines += ["    def set_epoch(self, epoch):", "        self.epoch = epoch", "", "    def __iter__(self):"]
            lines += ["        g = torch.Generator().manual_seed(self.epoch)"]
            lines += ["        return iter(torch.randperm(len(self.data), generator=g).tolist())", ""]
            lines += ["    def __len__(self):", "        return len(self.data)", "", ""]
        if self.at("sampler", "permutation"):
            lines += [
                "class Shuffled(Sampler):",
                "    def __init__(self, data):",
                "        self.data, self.rng = data, random.Random(3)",
                "",
            ]
            lines += [
                "    def __iter__(self):",
                "        order = list(range(len(self.data)))",
                "        self.rng.shuffle(order)",
            ]
            lines += [
                "        return iter(order)",
                "",
                "    def __len__(self):",
                "        return len(self.data)",
                "",
                "",
            ]
        if self.at("ema", "object_with_step"):
            lines += [
                "class Average:",
                "    def __init__(self, model):",
                "        self.shadow = [p.detach().clone() for p in model.parameters()]",
                "",
            ]
            lines += ["    def step(self, model):", "        for s, p in zip(self.shadow, model.parameters()):"]
            lines += ["            s.mul_(0.9).add_(p.detach(), alpha=0.1)", "", ""]
        if self.at("sums", "meter"):
            lines += ["class Meter:", "    def __init__(self):", "        self.total, self.count = 0.0, 0", ""]
            lines += [
                "    def update(self, value, n):",
                "        self.total += value * n",
                "        self.count += n",
                "",
            ]
            lines += ["    def mean(self):", "        return self.total / max(1, self.count)", "", ""]
        if self.at("factory", "function"):
            lines += ["def build(model, lr):", f"    return {self.optimizer('lr')}", "", ""]
        if self.at("factory", "pair"):
            lines += ["def build(lr):", "    model = Net()", f"    return model, {self.optimizer('lr')}", "", ""]
        if self.at("factory", "dataclass"):
            lines += [
                "@dataclass",
                "class Kit:",
                "    model: nn.Module",
                "    stepper: torch.optim.Optimizer",
                "",
                "",
            ]
        if self.at("rebind", "lr_by_new"):
            lines += [
                "def fresh(model, epoch):",
                "    return torch.optim.SGD(model.parameters(), lr=0.1 / (epoch + 1))",
                "",
                "",
            ]
        if self.at("evaluated", "by_flag"):
            lines += [
                "def run_over(model, loader, criterion, training):",
                "    total = 0.0",
                "    model.train(training)",
            ]
            lines += ["    for bx, by in loader:", "        with torch.set_grad_enabled(training):"]
            lines += ["            total += criterion(model(bx), by).item()", "    return total", "", ""]
        return lines

    def trained(self) -> str:
        """A layer that trains from the start: torch takes no hook of a frozen weight."""
        return "head" if self.at("unfreeze", "one_at_a_time", "backwards", "by_name") else "first"

    def held(self) -> str:
        if self.at("holds", "subset"):
            return "model.head.parameters()"
        if self.at("holds", "chosen"):
            return "[p for p in model.parameters() if p.requires_grad]"
        if self.at("holds", "groups"):
            return '[{"params": model.first.parameters()}, {"params": list(model.second.parameters()) + list(model.head.parameters()), "lr": 0.02}]'
        if not self.at("grow_group", "none"):
            return "list(model.second.parameters()) + list(model.head.parameters())"
        return "model.parameters()"

    def optimizer(self, rate: str) -> str:
        kind = "SGD" if self.at("holds", "all", "groups") else "Adam"
        more = ", momentum=0.9" if kind == "SGD" and not self.at("zero", "before") else ""
        return f"torch.optim.{kind}({self.held()}, lr={rate}{more})"

    # ---- what is set up

    def setup(self) -> Lines:
        """Everything before the epoch loop."""
        lines = ["torch.manual_seed(7)", "random.seed(7)"]
        if self.at("device", "string"):
            lines += ['device = "cpu"']
        if self.at("device", "chosen"):
            lines += ['device = torch.device("cuda" if torch.cuda.is_available() else "cpu")']
        if self.at("device", "argument"):
            lines += ["parser = argparse.ArgumentParser()", 'parser.add_argument("--device", default="cpu")']
            lines += ["args = parser.parse_args()", "device = args.device"]
        lines += self.data()
        lines += self.model()
        lines += ["criterion = nn.CrossEntropyLoss()"]
        if self.at("evaluated", "inline", "by_flag", "every_two"):
            lines += [
                "x_val = torch.randn(12, 5)",
                "val_loader = DataLoader(TensorDataset(x_val, x_val[:, :3].argmax(1)), batch_size=6)",
            ]
        lines += {
            "epoch": ["scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)"],
            "guarded": ["scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)"],
            "batch": ["scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)"],
            "cosine_restarts": ["scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2)"],
            "plateau": ["scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)"],
            "dictionary": ['schedulers = {"main": torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)}'],
            "grown_list": [
                "schedulers = []",
                "schedulers.append(torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5))",
            ],
        }.get(self.c["scheduler"], [])
        if self.at("rebind", "scheduler") and self.at("scheduler", "none"):
            lines += ["scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.7)"]
        lines += {
            "object_with_step": ["ema = Average(model)"],
            "averaged": ["ema = torch.optim.swa_utils.AveragedModel(model)"],
            "by_hand": ["ema = copy.deepcopy(model)"],
        }.get(self.c["ema"], [])
        if not self.at("best", "none"):
            lines += ['best = float("inf")']
        if self.at("best", "patience"):
            lines += ["bad = 0"]
        if self.at("best", "snapshot"):
            lines += ["kept = None"]
        lines += {"steps": ["steps = 0"], "dictionary": ['state = {"steps": 0, "losses": []}']}.get(
            self.c["counter"], []
        )
        lines += {"while": ["turn = 0"], "resumed": ["first = 1"], "counted": ["epochs = 3"]}.get(self.c["loops"], [])
        if self.at("hooks", "counted"):
            lines += ["calls = []"]
        if self.at("batches", "bar_if_asked"):
            lines += ["quiet = True"]
        return lines

    def data(self) -> Lines:
        lines: Lines = []
        length = self.c["length"]
        if self.own_data():
            begin = {
                "limit_tripled": 8,
                "limit_shrinks": 24,
                "grows_by_method": 10,
                "second_epoch": 12,
                "grows_in_batch": 16,
            }
            lines += [f"data = Rows({begin.get(length, 24)})"]
        elif self.at("data", "rows") or length == "grows_by_append":
            lines += ["rows = torch.randn(18, 5)", "data = [(r, int(r[:3].argmax())) for r in rows]"]
        else:
            lines += [
                "x_all = torch.randn(24, 5)",
                "y_all = x_all[:, :3].argmax(1)",
                "data = TensorDataset(x_all, y_all)",
            ]
        if length == "subset_grows":
            lines += ["data = Subset(data, list(range(9)))"]
        given, shuffle = self.sampling()
        lines += given
        if length == "num_samples":
            lines += ["sampler = RandomSampler(data, replacement=True, num_samples=9)"]
            shuffle = ", sampler=sampler"
        if length == "batch_size":
            lines += [
                "batch_sampler = torch.utils.data.BatchSampler(torch.utils.data.SequentialSampler(data), 4, False)"
            ]
            lines += ["loader = DataLoader(data, batch_sampler=batch_sampler)"]
        else:
            lines += [f"loader = DataLoader(data, batch_size=6{shuffle})"]
        if self.at("batches", "zip", "two_loaders"):
            lines += ["other = DataLoader(TensorDataset(torch.randn(20, 5)), batch_size=5, shuffle=True)"]
        return lines

    def sampling(self) -> tuple[Lines, str]:
        return {
            "generator": (
                ["sampler = RandomSampler(data, generator=torch.Generator().manual_seed(5))"],
                ", sampler=sampler",
            ),
            "loader_generator": ([], ", shuffle=True, generator=torch.Generator().manual_seed(5)"),
            "epoch": (
                ["sampler = torch.utils.data.distributed.DistributedSampler(data, num_replicas=1, rank=0)"],
                ", sampler=sampler",
            ),
            "own_with_epoch": (["sampler = Seeded(data)"], ", sampler=sampler"),
            "permutation": (["sampler = Shuffled(data)"], ", sampler=sampler"),
            "weights_change": (["sampler = WeightedRandomSampler([1.0] * len(data), 12)"], ", sampler=sampler"),
            "subset_random": (["sampler = SubsetRandomSampler(list(range(0, len(data), 2)))"], ", sampler=sampler"),
        }.get(self.c["sampler"], ([], ", shuffle=True"))

    def model(self) -> Lines:
        made = self.c["factory"]
        move = ".to(device)" if not self.at("device", "none") else ""
        lines = [f"model = Net(){move}"] if made not in ("pair", "lambda") else []
        if made == "lambda":
            lines = ["make = lambda: Net()", f"model = make(){move}"]
        if made == "pair":
            return ["model, optimizer = build(0.1)", *self.adapted()]
        lines += self.adapted()
        optimizer = self.optimizer("0.1")
        if made == "function":
            lines += ["optimizer = build(model, 0.1)"]
        elif made == "dictionary":
            lines += [f'kit = {{"model": model, "optimizer": {optimizer}}}', 'optimizer = kit["optimizer"]']
        elif made == "dataclass":
            lines += [f"kit = Kit(model, {optimizer})", "optimizer = kit.stepper"]
        elif made == "namespace":
            lines += ["conf = SimpleNamespace(lr=0.1)", f"optimizer = {self.optimizer('conf.lr')}"]
        elif made == "partial":
            lines += [
                "make_optimizer = functools.partial(torch.optim.SGD, lr=0.1)",
                f"optimizer = make_optimizer({self.held()})",
            ]
        else:
            lines += [f"optimizer = {optimizer}"]
        return lines

    def adapted(self) -> Lines:
        lines: Lines = []
        lines += {
            "weight_norm": ["nn.utils.parametrizations.weight_norm(model.second)"],
            "spectral_norm": ["nn.utils.parametrizations.spectral_norm(model.second)"],
            "removed": ["nn.utils.parametrizations.weight_norm(model.second)"],
            "initialised": ["model.reset()"],
        }.get(self.c["parametrization"], [])
        lines += {
            "one_at_a_time": [
                "for p in model.parameters():",
                "    p.requires_grad_(False)",
                "model.head.weight.requires_grad_(True)",
            ],
            "head": ["model.head.requires_grad_(False)"],
            "backwards": ["model.first.requires_grad_(False)", "model.second.requires_grad_(False)"],
            "by_name": ["for name, p in model.named_parameters():", '    p.requires_grad = name.startswith("head")'],
        }.get(self.c["unfreeze"], [])
        lines += {
            "forward": [
                "seen = []",
                "model.second.register_forward_hook(lambda m, i, o: seen.append(float(o.detach().mean())))",
            ],
            "forward_pre": ["model.head.register_forward_pre_hook(lambda m, i: (i[0] * 1.5,))"],
            "backward": [
                "model.head.register_full_backward_hook(lambda m, gi, go: tuple(g if g is None else g * 0.5 for g in gi))"
            ],
            "gradient": [f"model.{self.trained()}.weight.register_hook(lambda g: g * 0.5)"],
            "removed": ["handle = model.second.register_forward_hook(lambda m, i, o: o * 0.5)"],
            "counted": ["model.register_forward_hook(lambda m, i, o: calls.append(len(o)))"],
        }.get(self.c["hooks"], [])
        return lines

    # ---- the loops

    def epochs(self) -> str:
        return {
            "range": "for epoch in range(3):",
            "from_one": "for epoch in range(1, 4):",
            "resumed": "for epoch in range(first, 4):",
            "while": "while turn < 3:",
            "list": "for epoch in [0, 1, 2]:",
            "counted": "for epoch in range(epochs):",
        }[self.c["loops"]]

    def start(self) -> Lines:
        """What an epoch begins with."""
        lines = ["epoch = turn"] if self.at("loops", "while") else []
        if self.at("skip", "first_epoch"):
            lines += ["if epoch == 1:", "    continue"] if not self.at("loops", "while") else []
        lines += ["model.train()"] if self.at("mode", "epoch") else []
        lines += self.change("start")
        lines += {
            "epoch": ["sampler.set_epoch(epoch)"],
            "own_with_epoch": ["sampler.set_epoch(epoch * 2)"],
            "weights_change": [
                "sampler.weights = torch.tensor([1.0 + epoch * (i % 3) for i in range(len(data))], dtype=torch.double)"
            ],
            "subset_random": ["if epoch > 0:", "    sampler.indices = list(range(1, len(data), 2))"],
        }.get(self.c["sampler"] if not self.at("length", "num_samples", "batch_size") else "", [])
        group = 'optimizer.add_param_group({"params": model.first.parameters(), "lr": 0.05})'
        if self.at("grow_group", "epoch_start", "two") and not self.at("holds", "chosen", "groups") and self.grows():
            lines += ["if epoch == 2:", f"    {group}"]
        lines += {
            "one_at_a_time": ["list(model.parameters())[-1 - epoch].requires_grad_(True)"],
            "head": ["if epoch == 2:", "    model.head.requires_grad_(True)"],
            "backwards": [
                "if epoch >= 1:",
                "    model.second.requires_grad_(True)",
                "if epoch >= 2:",
                "    model.first.requires_grad_(True)",
            ],
            "by_name": [
                "for name, p in model.named_parameters():",
                '    if name.startswith("second") and epoch == 1:',
                "        p.requires_grad = True",
            ],
            "freeze_later": [
                "if epoch == 2:",
                "    for p in model.first.parameters():",
                "        p.requires_grad_(False)",
            ],
        }.get(self.c["unfreeze"], [])
        fresh = {
            "optimizer": ["if epoch == 2:", "    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)"],
            "optimizer_always": ["optimizer = torch.optim.SGD(model.parameters(), lr=0.03)"],
            "lr_by_new": ["optimizer = fresh(model, epoch)"],
            "model": [
                "if epoch == 2:",
                "    model = copy.deepcopy(model)",
                "    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)",
            ],
            "loader": ["if epoch == 2:", "    loader = DataLoader(data, batch_size=9)"],
            "scheduler": ["if epoch == 2:", "    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5)"],
            "criterion": ["if epoch == 2:", "    criterion = nn.CrossEntropyLoss(label_smoothing=0.2)"],
        }
        if not (self.at("rebind", "scheduler") and self.at("scheduler", "dictionary", "grown_list", "plateau")):
            lines += fresh.get(self.c["rebind"], [])
        if self.at("hooks", "removed"):
            lines += ["if epoch == 2:", "    handle.remove()"]
        if self.at("parametrization", "removed"):
            lines += ["if epoch == 3:", '    nn.utils.parametrize.remove_parametrizations(model.second, "weight")']
        if self.at("random", "drawn_at_start"):
            lines += ["scale = 1.0 + 0.1 * torch.rand(1).item()"]
        lines += {
            "tensor": ["total = torch.zeros(1)"], "list": ["losses = []"], "meter": ["meter = Meter()"],
        }.get(self.c["sums"], ["total = 0.0"])  # fmt: skip
        lines += ["count = 0"]
        return lines

    def change(self, place: str) -> Lines:
        """What gives the data another length."""
        if place == "start":
            return {
                "limit_tripled": ["data.limit = 8 * (epoch + 1)"],
                "limit_shrinks": ["data.limit = max(6, 24 - 8 * epoch)"],
                "grows_by_method": ["data.grow(7)"],
                "second_epoch": ["if epoch == 2:", "    data.limit = 30"],
                "same_length": ["data.limit = 24"],
                "grows_by_append": ["for k in range(5):", "    data.append(data[k])"],
                "subset_grows": ["data.indices.append(epoch + 10)", "data.indices += [11, 12, 13, 14, 15, 16]"],
                "batch_size": ["batch_sampler.batch_size = 4 + 2 * epoch"],
                "num_samples": ["sampler._num_samples = 9 + 6 * epoch"],
                "swapped_tensors": [
                    "data.tensors = (torch.cat([data.tensors[0], data.tensors[0][:6]]), torch.cat([data.tensors[1], data.tensors[1][:6]]))"
                ],
                "swapped_inside": ["if epoch == 2:", "    loader.dataset.tensors = (x_all[:8], y_all[:8])"],
                "curriculum_loader": [
                    "stage = Subset(data, list(range(8 + 4 * epoch)))",
                    "loader = DataLoader(stage, batch_size=6, shuffle=True)",
                ],
            }.get(self.length(), [])
        return {
            "end": {"grows_at_end": ["data.grow(6)"]},
            "batch": {"grows_in_batch": ["data.grow(1)"]},
        }[place].get(self.length(), [])

    def length(self) -> str:
        """The change of length, "none" where the data cannot change so."""
        length = self.c["length"]
        plain = not self.own_data() and not self.at("data", "rows")
        if length in ("swapped_tensors", "swapped_inside") and not plain:
            return "none"
        if length == "grows_by_append" and self.own_data():
            return "none"
        fixed = self.at("sampler", "epoch", "weights_change", "subset_random")
        if length in _LATE and length != "same_length" and fixed:
            return "none"
        return length

    def batches(self) -> str:
        target, source = "x, y", "loader"
        way = self.c["batches"]
        if way == "enumerate":
            return f"for i, (x, y) in enumerate({source}):"
        if way == "tqdm":
            return f"for {target} in tqdm({source}, disable=True):"
        if way == "bar_if_asked":
            return f"for {target} in ({source} if quiet else tqdm({source})):"
        if way == "zip":
            return f"for (x, y), (z,) in zip({source}, other):"
        if way == "islice":
            return f"for {target} in itertools.islice({source}, 3):"
        if way == "full_loader_list":
            return f"for {target} in list({source}):"
        return f"for {target} in {source}:"

    def batch(self) -> Lines:
        """What is done with a batch."""
        lines = ["model.train()"] if self.at("mode", "batch") else []
        lines += ["count += 1"]
        if self.at("skip", "odd_batches"):
            lines += ["if count % 3 == 2:", "    continue"]
        if not self.at("device", "none"):
            lines += ["x, y = x.to(device), y.to(device)"]
        lines += {
            "dictionary": [
                'item = {"x": x, "y": y}',
                "item = {k: item[k] for k in item}",
                'x, y = item["x"], item["y"]',
            ],
            "list": ["pair = [x, y]", "pair = [pair[0] * 1.0, pair[1]]", "x, y = pair"],
        }.get(self.c["container"], [])
        if self.at("random", "noise_in_batch"):
            lines += ["x = x + 0.05 * torch.randn_like(x)"]
        if self.at("batches", "two_loaders"):
            lines += ["z, = next(iter(other))"]
        if self.at("clock", "around_step"):
            lines += ["begun = time.perf_counter()"]
        zero = {
            "before": "optimizer.zero_grad()",
            "model": "model.zero_grad()",
            "not_none": "optimizer.zero_grad(set_to_none=False)",
        }
        stepped = self.stepped()
        if not stepped:
            lines += [zero[self.c["zero"]]] if self.c["zero"] in zero else []
        lines += ["out = model(x)", "loss = criterion(out, y)"]
        if self.at("batches", "zip", "two_loaders"):
            lines += ["loss = loss + 0.1 * model(z).pow(2).mean()"]
        if self.at("random", "drawn_at_start"):
            lines += ["loss = loss * scale"]
        if self.at("skip", "nan"):
            lines += ["if not torch.isfinite(loss):", "    continue"]
        if self.at("zero", "between") and not stepped:
            lines += ["optimizer.zero_grad()"]
        lines += ["(loss / 2).backward()"] if stepped else ["loss.backward()"]
        inner: Lines = list({
            "norm": ["torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)"],
            "guarded_epoch": ["if epoch > 0:", "    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.2)"],
            "guarded_batch": ["if count % 2:", "    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.2)"],
            "value_then_norm": ["torch.nn.utils.clip_grad_value_(model.parameters(), 0.05)", "torch.nn.utils.clip_grad_norm_(model.parameters(), 0.3)"],
            "kept": ["norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)"],
        }.get(self.c["clip"], []))  # fmt: skip
        inner += ["optimizer.step()"]
        after = {"after": "optimizer.zero_grad()", "model_after": "model.zero_grad()"}
        if self.c["zero"] in after:
            inner += [after[self.c["zero"]]]
        elif stepped:
            inner += ["optimizer.zero_grad()"]
        if self.at("zero", "none_grads"):
            inner += ["for p in model.parameters():", "    p.grad = None"]
        inner += ["scheduler.step()"] if self.at("scheduler", "batch") else []
        lines += [stepped, *indented(inner)] if stepped else inner
        if self.at("clock", "around_step"):
            lines += ["spent = time.perf_counter() - begun"]
        if self.at("grow_group", "batch") and self.at("holds", "subset", "all") and self.grows():
            lines += [
                "if epoch == 2 and count == 1:",
                '    optimizer.add_param_group({"params": model.first.parameters(), "lr": 0.05})',
            ]
        lines += {
            "object_with_step": ["ema.step(model)"], "averaged": ["ema.update_parameters(model)"],
            "by_hand": ["with torch.no_grad():", "    for e, p in zip(ema.parameters(), model.parameters()):", "        e.mul_(0.9).add_(p, alpha=0.1)"],
        }.get(self.c["ema"], [])  # fmt: skip
        lines += {
            "tensor": ["total += loss.detach()"], "list": ["losses.append(loss.item())"], "meter": ["meter.update(loss.item(), len(x))"],
        }.get(self.c["sums"], ["total += loss.item()"])  # fmt: skip
        lines += {
            "steps": ["steps += 1"],
            "dictionary": ['state["steps"] += 1', 'state["losses"].append(loss.item())'],
        }.get(self.c["counter"], [])
        lines += self.change("batch")
        if self.at("batches", "next"):
            lines += ["if count == 3:", "    break"]
        return lines

    def stepped(self) -> str:
        return {"two": "if count % 2 == 0:", "carried": "if count % 3 == 1:"}.get(self.c["accumulate"], "")

    def end(self) -> Lines:
        """What an epoch ends with."""
        lines = {
            "tensor": ["mean = (total / count).item()"], "list": ["mean = sum(losses) / len(losses)"], "meter": ["mean = meter.mean()"],
        }.get(self.c["sums"], ["mean = total / count"])  # fmt: skip
        if self.at("zero", "end_of_epoch"):
            lines += ["optimizer.zero_grad()"]
        value = "mean"
        if self.at("evaluated", "inline", "every_two"):
            inner = ["model.eval()", "val = 0.0", "with torch.no_grad():", "    for vx, vy in val_loader:"]
            inner += ["        val += criterion(model(vx), vy).item()", 'print("val", round(val, 5))']
            if self.at("evaluated", "inline"):
                lines, value = [*lines, *inner], "val"
            else:
                lines += ["if epoch % 2 == 0:", *indented(inner)]
        if self.at("evaluated", "by_flag"):
            lines, value = [*lines, "val = run_over(model, val_loader, criterion, False)"], "val"
        if self.at("scheduler", "epoch", "cosine_restarts") or self.at("rebind", "scheduler"):
            if not self.at("scheduler", "plateau", "dictionary", "grown_list", "guarded", "batch"):
                lines += ["scheduler.step()"]
        lines += {
            "guarded": ["if epoch > 1:", "    scheduler.step()"], "plateau": [f"scheduler.step({value})"],
            "dictionary": ["for one in schedulers.values():", "    one.step()"], "grown_list": ["for one in schedulers:", "    one.step()"],
        }.get(self.c["scheduler"], [])  # fmt: skip
        if self.at("grow_group", "epoch_end") and self.at("holds", "subset", "all") and self.grows():
            lines += [
                "if epoch == 1:",
                '    optimizer.add_param_group({"params": model.first.parameters(), "lr": 0.05})',
            ]
        lines += self.change("end")
        lines += [f'print(epoch, round({value}, 5), optimizer.param_groups[0]["lr"])']
        lines += {
            "best": [f"if {value} < best:", f"    best = {value}", '    torch.save(model.state_dict(), "best.pt")'],
            "snapshot": [f"if {value} < best:", f"    best = {value}", "    kept = copy.deepcopy(model.state_dict())"],
            "patience": [f"if {value} < best:", f"    best, bad = {value}, 0", "else:", "    bad += 1", "if bad >= 2:", "    break"],
        }.get(self.c["best"], [])  # fmt: skip
        return lines

    def final(self) -> Lines:
        """What comes after training."""
        lines = ['print("weights", sum(float(p.double().sum()) for p in model.parameters()), model.training)']
        lines += ["model.load_state_dict(kept)"] if self.at("best", "snapshot") else []
        lines += {"steps": ["print(steps)"], "dictionary": ['print(state["steps"], len(state["losses"]))']}.get(
            self.c["counter"], []
        )
        lines += ["print(sum(calls))"] if self.at("hooks", "counted") else []
        lines += ["print(sum(float(s.sum()) for s in ema.shadow))"] if self.at("ema", "object_with_step") else []
        lines += (
            ['print("grads", sum(0 if p.grad is None else 1 for p in model.parameters()))']
            if self.at("unfreeze", "freeze_later")
            else []
        )
        return lines


def assemble(choices: Choices) -> str:
    """The program for these choices."""
    return ChangeProgram(choices).text()


CHANGES = Grammar(
    "changes", DIMENSIONS, assemble,
    always=frozenset({"entry", "epoch_form"}), plainness=(0.55, 0.7, 0.8, 0.88),
)  # fmt: skip
