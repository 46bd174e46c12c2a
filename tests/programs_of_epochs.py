"""Random programs of one shape, a loop over epochs around a loop over batches, with everything that may stand where.

They try the order of statements, the places of values and names, and how functions are cut out of the loop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from program_grammar import Choices, Grammar, Lines, dimensions
from program_grammar import indented as _in
from program_grammar import names_in as _names
from program_grammar import names_stored as _stored

_GRAMMAR = {
    "entry": "module main guard monolith",
    "around": "none for with two_calls",
    "train_form": "inline params globals closure",
    "rename": "no yes",
    "loader": "loader full_batch",
    "clash": "none log trainer lightning device batch epoch_names shadow optimizers module",
    "same_locals": "no yes",
    "epochs": "range from_one from_start constant tqdm underscore",
    "batches": "plain enumerate from_one tqdm bar tqdm_enumerate enumerate_tqdm counted",
    "unpack": "tuple later index dict single ignored moved",
    "model": "mlp norm functional sequential stateful",
    "loss": "module functional statements regularised returned",
    "optimizer": "sgd momentum adam decay groups subset chosen",
    "optimizer_place": "after_model before_data last",
    "scheduler": (
        "none after_batches epoch_end epoch_start batch batch_first batch_fraction plateau "
        "plateau_train hand_epoch hand_batch after_validation warmup milestones"
    ),
    "lr_print": "none epoch_start batch after_batches in_validation after_validation epoch_end",
    "zero": "before_forward between after_step model model_after never not_none top",
    "clip": "none norm value norm_kept",
    "train_mode": "epoch_start none before_loop batch after_eval first_line_of_run",
    "eval_mode": "before none inside_no_grad before_and_back false_argument",
    "validation": (
        "after none before twice train_data_too every_two every_two_from_first first_only not_first "
        "inside_batch last_only"
    ),
    "val_form": "inline params globals decorated closure",
    "no_grad": "with none inference switched inside_loop",
    "val_leave": "none break continue enumerate_break",
    "val_sums": "floats tensors lists concatenated meter",
    "val_print": "after inside both none",
    "train_sums": "floats none tensor_without_item detached list window meter mean_in_loop dict",
    "run_counter": "none steps history best_loss dictionary",
    "post": (
        "none print_loss every_two rebind_item inplace_output parameter ema clamp grad_norm "
        "output_of_new_weights accuracy inplace_input detach_output loss_times"
    ),
    "between": "none print grad_norm scale_grads accuracy",
    "syntax": (
        "none lambda comprehension fstring del semicolons continue nested_function walrus conditional "
        "with_block try_block inner_loop continue_after break_after multiline assert"
    ),
    "stop": "none patience threshold flag in_batches",
    "top_break": "none index index_of_epoch small counted said",
    "save": "none best epoch end state best_weights",
    "resume": "none checkpoint",
    "rng": ("none epoch_start between after_validation batch dataset python seed_epoch mixup numpy epoch_end"),
    "late": "none loss batch index after_run epoch index_after_run",
    "after": "none eval predict test test_function train_again history",
    "shuffle": "yes no val_too",
    "config": "none namespace argparse dict",
    "val_use": "assign append print_call subscript condition fstring",
    "train_use": "assign append print_call ignored",
    "call": "positional keywords defaults",
    "probe": "none training parts random gradients rate weights gradient_mode",
    "probe_at": "batch_end start batch_start middle val_start val_batch val_end end run_end",
    "epoch_action": "none freeze unfreeze new_loader set_noise skip_epoch replace_criterion",
    "phases": "one two_loops",
    "accumulate": "none three three_divided three_or_last",
    "val_model": "model ema both",
    "last_batch": "none previous_loss kept_output kept_list",
    "in_batch_save": "none every_three",
    "epoch_try": "none try",
    "second_net": "none frozen_teacher joint gan",
    "wording": "none docstrings comments",
}
DIMENSIONS = dimensions(_GRAMMAR)
_NAMES = (
    "model device train_loader val_loader criterion optimizer scheduler ema epoch steps history "
    "lowest stats best bad stop epochs start x_all y_all x_val y_val kept train_loss args accuracies "
    "losses_of_epochs previous outputs teacher other other_optimizer "
)
ENTRY_VARIABLES = tuple(_NAMES.split())
RENAMED = {
    "model": "net",
    "train_loader": "loader",
    "val_loader": "loader",
    "criterion": "loss_fn",
    "optimizer": "opt",
}
CLASHES: dict[str, dict[str, str]] = {
    "log": {"total": "log", "history": "logger"},
    "trainer": {"model": "trainer"},
    "lightning": {"total": "L", "count": "pl", "loss": "lightning"},
    "device": {"device": "device", "x": "device_batch"},
    "batch": {"x": "batch_x", "i": "batch_idx", "out": "batch_out"},
    "epoch_names": {"epoch": "current_epoch", "steps": "global_step"},
    "shadow": {"total": "max", "out": "input", "count": "id"},
    "optimizers": {"optimizer": "optimizers", "scheduler": "lr_schedulers", "val_loader": "val_dataloaders"},
    "module": {"criterion": "hparams", "total": "training", "best": "print_", "stats": "example_input_array"},
}


def assemble(choices: Mapping[str, str]) -> str:
    """The program for these choices. Combinations that make no sense fall back to what does."""
    return EpochProgram(dict(choices)).text()


class EpochProgram:
    """Writes one program, with canonical names that are renamed at the end."""

    def __init__(self, choices: Choices) -> None:
        self.c = choices
        if self.at("entry", "main", "monolith"):
            for name in ("train_form", "val_form"):
                if self.at(name, "globals"):
                    self.c[name] = "params"
        elif self.at("entry", "module", "guard"):
            for name in ("train_form", "val_form"):
                if self.at(name, "closure"):
                    self.c[name] = "globals"
        if self.at("loader", "full_batch"):
            self.c |= {"train_form": "inline", "unpack": "tuple", "batches": "plain"}
            if self.at("validation", "inside_batch"):
                self.c["validation"] = "after"
            if self.at("val_form", "decorated"):
                self.c["val_form"] = "params"
            if self.at("syntax", "break_after"):
                self.c["syntax"] = "none"
        if self.at("entry", "monolith") and self.at("val_form", "closure"):
            self.c["val_form"] = "params"
        if self.at("entry", "monolith") and self.at("train_form", "closure"):
            self.c["train_form"] = "params"
        if self.at("epochs", "underscore") and self.needs_epoch():
            self.c["epochs"] = "range"
        if self.at("model", "sequential") and not self.at("loss", "returned"):
            if self.at("optimizer", "subset"):
                self.c["optimizer"] = "sgd"
            if self.at("epoch_action", "freeze", "unfreeze"):
                self.c["epoch_action"] = "none"
        if self.at("optimizer", "subset") and self.at("epoch_action", "freeze", "unfreeze"):
            self.c["epoch_action"] = "none"
        if self.at("epoch_action", "new_loader", "set_noise") and self.at("loader", "full_batch"):
            self.c["epoch_action"] = "none"
        if not self.at("train_form", "inline") and not self.at("last_batch", "kept_list"):
            self.c["last_batch"] = "none"
        self.full = self.at("loader", "full_batch")
        self.functions: list[Lines] = []
        self.closures: list[Lines] = []

    def at(self, name: str, *options: str) -> bool:
        return self.c[name] in options

    def needs_epoch(self) -> bool:
        return (
            self.at("validation", "every_two", "every_two_from_first", "first_only", "not_first", "last_only")
            or self.at("scheduler", "batch_fraction", "hand_epoch", "warmup")
            or self.at("save", "state", "epoch")
            or self.at("late", "epoch")
            or self.at("rng", "seed_epoch")
            or self.at("resume", "checkpoint")
            or self.at("epoch_action", "freeze", "unfreeze", "set_noise", "skip_epoch", "replace_criterion")
            or self.at("top_break", "index_of_epoch", "said")
        )

    # ---- the whole

    def text(self) -> str:
        setup, run = self.setup(), self.run()
        head = [*self.imports(), "", "", *self.classes(), ""]
        functions = [line for f in self.functions for line in ["", *f, ""]]
        entry = self.c["entry"]
        seed = ["torch.manual_seed(3)", "random.seed(3)", "np.random.seed(3)"]
        if entry == "monolith":
            body = self.monolith(setup, run, seed)
            lines = [*head, *functions, *body]
        elif entry == "main":
            inner = [*seed, *setup, *[line for f in self.closures for line in [*f, ""]], *run]
            lines = [*head, *functions, "", "def main():", *_in(inner), "", ""]
            lines += ['if __name__ == "__main__":', *_in(["main()"])]
        elif entry == "guard":
            lines = [*head, *functions, "", 'if __name__ == "__main__":', *_in([*seed, *setup, *run])]
        else:
            lines = [*head, *seed, *setup, *functions, *run]
        text = "\n".join(lines) + "\n"
        for old, new in CLASHES.get(self.c["clash"], {}).items():
            keyword, called = rf"\b{old}=(?!=)", rf"(?<![\w.]){new}\("
            if re.search(keyword, text) or re.search(called, text):  # the program would not run
                continue
            text = re.sub(rf"(?<![\w.\"]){old}\b(?!=)(?!\")", new, text) if old != new else text
        return self.worded(re.sub(r"\n{4,}", "\n\n\n", text))

    def worded(self, text: str) -> str:
        """Comments and docstrings that have to travel with the code."""
        if self.at("wording", "docstrings"):
            return re.sub(
                r"(?m)^( *)(def (?:train|evaluate|fit|main)\(.*\):)$",
                r'\1\2\n\1    """What it does."""',
                text,
            )
        if self.at("wording", "comments"):
            text = re.sub(r"(?m)^( +)(loss\.backward\(\))$", r"\1# gradients\n\1\2  # of the loss", text)
            text = re.sub(r"(?m)^( *)(for .*loader.*:)$", r"\1# all batches\n\1\2  # of the loader", text)
            return re.sub(r"(?m)^( +)(print\(.*\))$", r"\1# tell\n\1\2", text)
        return text

    def monolith(self, setup: Lines, run: Lines, seed: Lines) -> Lines:
        known = _stored(setup)
        used = [v for v in ENTRY_VARIABLES if v in _names(run) and v in known]
        body = [*run, *(["return train_loss"] if "train_loss" in _stored(run) else [])]
        function = ["", f"def fit({', '.join(used)}):", *_in(body), ""]
        call = f"fit({', '.join(used)})"
        calls = [f"print({call})"]
        if self.at("around", "two_calls"):
            calls = [f"first = {call}", *setup, f"second = {call}", "print(first, second)"]
        elif self.at("around", "for"):
            return [*function, "", *seed, "for fold in range(2):", *_in([*setup, *calls])]
        return [*function, "", *seed, *setup, *calls]

    def imports(self) -> Lines:
        return [
            "import argparse",
            "import copy",
            "import random",
            "import types",
            "",
            "import numpy as np",
            "import torch",
            "import torch.nn as nn",
            "import torch.nn.functional as F",
            "from torch.utils.data import DataLoader, Dataset, TensorDataset",
            "from tqdm import tqdm",
        ]

    # ---- definitions

    def classes(self) -> Lines:
        return [*self.net(), "", "", *self.data_set(), "", "", *_METER]

    def net(self) -> Lines:
        norm = self.at("model", "norm")
        returned = self.at("loss", "returned") and not self.full
        lines = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        lines += ["        self.a = nn.Linear(6, 10)", "        self.b = nn.Linear(10, 3)"]
        lines += ["        self.drop = nn.Dropout(0.3)"] if not self.at("model", "functional") else []
        lines += ["        self.norm = nn.BatchNorm1d(10)"] if norm else []
        lines += ["        self.calls = 0"] if self.at("model", "stateful") else []
        lines += ["", "    def forward(self, x, y=None):" if returned else "    def forward(self, x):"]
        lines += ["        self.calls += 1"] if self.at("model", "stateful") else []
        lines += ["        h = torch.relu(self.norm(self.a(x)))" if norm else "        h = torch.relu(self.a(x))"]
        if self.at("model", "functional"):
            lines += ["        h = F.dropout(h, 0.3, training=self.training)"]
        else:
            lines += ["        h = self.drop(h)"]
        if self.at("model", "stateful"):
            lines += ["        h = h * (1.0 + 0.001 * (self.calls % 3))"]
        if returned:
            lines += ["        out = self.b(h)"]
            return [*lines, "        return out if y is None else (F.cross_entropy(out, y), out)"]
        return [*lines, "        return self.b(h)"]

    def data_set(self) -> Lines:
        item = {"dict": '{"x": x, "y": self.y[i]}', "single": "x", "ignored": "x, self.y[i], i"}
        lines = ["class Data(Dataset):", "    def __init__(self, x, y, noisy=False):"]
        lines += ["        self.x, self.y, self.noisy = x, y, noisy", "", "    def __len__(self):"]
        lines += ["        return len(self.x)", "", "    def __getitem__(self, i):", "        x = self.x[i]"]
        lines += ["        if self.noisy:", "            x = x + 0.1 * torch.randn(6)"]
        return [*lines, f"        return {item.get(self.c['unpack'], 'x, self.y[i]')}"]

    # ---- before the loop

    def setup(self) -> Lines:
        model = ["model = Net().to(device)"]
        if self.at("model", "sequential") and not self.at("loss", "returned"):
            model = [
                "model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.3), nn.Linear(10, 3))",
                "model = model.to(device)",
            ]
        data = ["x_all, x_val = torch.randn(37, 6), torch.randn(17, 6)"]
        data += ["y_all, y_val = x_all[:, :3].argmax(1), x_val[:, :3].argmax(1)"]
        if not self.full:
            noisy = ", noisy=True" if self.at("rng", "dataset") else ""
            shuffle = self.c["shuffle"] != "no"
            both = self.at("shuffle", "val_too")
            data += [
                f"train_loader = DataLoader(Data(x_all, y_all{noisy}), batch_size=8, shuffle={shuffle})",
                f"val_loader = DataLoader(Data(x_val, y_val), batch_size=6, shuffle={both})",
            ]
        else:
            data += ["x_all, y_all = x_all.to(device), y_all.to(device)"]
        optimizer, scheduler = self.optimizer(), self.scheduler()
        more = ["criterion = nn.CrossEntropyLoss()", *self.config()]
        more += self.state()
        resumed = self.resumed()
        device = ['device = torch.device("cpu")']
        if self.at("optimizer_place", "before_data"):
            return [*device, *model, *optimizer, *data, *scheduler, *more, *resumed]
        if self.at("optimizer_place", "last"):
            return [*device, *data, *more[:2], *model, *more[2:], *optimizer, *scheduler, *resumed]
        return [*device, *data, *model, *optimizer, *scheduler, *more, *resumed]

    def config(self) -> Lines:
        """How the number of epochs is known."""
        number = "3" if not self.full else "6"
        values = f"epochs={number}, log_interval=2"
        return {
            "namespace": [f"args = types.SimpleNamespace({values})"],
            "argparse": [
                "parser = argparse.ArgumentParser()",
                f'parser.add_argument("--epochs", type=int, default={number})',
                'parser.add_argument("--log-interval", type=int, default=2)',
                "args = parser.parse_args()",
            ],
            "dict": [f"args = dict({values})"],
        }.get(self.c["config"], [f"epochs = {number}"])

    def setting(self, name: str) -> str:
        if self.at("config", "none"):
            return name
        return f'args["{name}"]' if self.at("config", "dict") else f"args.{name}"

    def optimizer(self) -> Lines:
        match self.c["optimizer"]:
            case "momentum":
                made = "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"
            case "adam":
                made = "torch.optim.Adam(model.parameters(), lr=0.02)"
            case "decay":
                made = "torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.1)"
            case "groups":
                both = '[{"params": decay}, {"params": plain, "weight_decay": 0.0}]'
                return [
                    "decay = [p for p in model.parameters() if p.dim() > 1]",
                    "plain = [p for p in model.parameters() if p.dim() <= 1]",
                    f"optimizer = torch.optim.SGD({both}, lr=0.1, weight_decay=0.01)",
                ]
            case "subset":
                made = "torch.optim.SGD(model.b.parameters(), lr=0.1)"
            case "chosen":
                adam = "torch.optim.Adam(model.parameters(), lr=0.02)"
                sgd = "torch.optim.SGD(model.parameters(), lr=0.1)"
                choice = ['name = "adam"', 'if name == "adam":', f"    optimizer = {adam}"]
                return [*choice, "else:", f"    optimizer = {sgd}"]
            case _:
                made = "torch.optim.SGD(model.parameters(), lr=0.1)"
        return [f"optimizer = {made}"]

    def scheduler(self) -> Lines:
        match self.c["scheduler"]:
            case "none" | "hand_epoch" | "hand_batch":
                return []
            case "plateau" | "plateau_train":
                kind = "ReduceLROnPlateau(optimizer, patience=0, factor=0.5)"
            case "batch" | "batch_first":
                kind = "OneCycleLR(optimizer, max_lr=0.2, total_steps=60)"
            case "batch_fraction":
                kind = "CosineAnnealingWarmRestarts(optimizer, T_0=2)"
            case "warmup":
                kind = "LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 7))"
            case "milestones":
                kind = "MultiStepLR(optimizer, milestones=[1, 2], gamma=0.3)"
            case _:
                kind = "StepLR(optimizer, step_size=1, gamma=0.5)"
        return [f"scheduler = torch.optim.lr_scheduler.{kind}"]

    def state(self) -> Lines:
        lines: Lines = []
        counters = {
            "steps": "steps = 0",
            "history": "history = []",
            "best_loss": 'lowest = float("inf")',
            "dictionary": 'stats = {"steps": 0, "losses": []}',
        }
        lines += [counters[self.c["run_counter"]]] if self.c["run_counter"] in counters else []
        if self.at("post", "ema") or self.at("val_model", "ema", "both"):
            lines += ["ema = copy.deepcopy(model)"]
        lines += ["accuracies = []"] if self.at("val_use", "append") else []
        lines += ["losses_of_epochs = []"] if self.at("train_use", "append") else []
        lines += ["previous = None"] if self.at("last_batch", "previous_loss") else []
        lines += ["outputs = []"] if self.at("last_batch", "kept_list") else []
        if self.at("second_net", "frozen_teacher"):
            lines += ["teacher = Net().to(device)", "teacher.eval()"]
        elif self.at("second_net", "joint", "gan"):
            lines += [
                "other = Net().to(device)",
                "other_optimizer = torch.optim.Adam(other.parameters(), lr=0.01)",
            ]
        if self.at("epoch_action", "unfreeze"):
            lines += ["for p in model.b.parameters():", "    p.requires_grad = False"]
        if self.at("stop", "patience") or self.at("save", "best", "best_weights", "state"):
            lines += ["best = 0.0"]
        lines += ["bad = 0"] if self.at("stop", "patience") else []
        lines += ["stop = False"] if self.at("stop", "flag") else []
        lines += ["kept = None"] if self.at("save", "best_weights") else []
        if self.at("epochs", "from_start") or self.at("resume", "checkpoint"):
            lines += ["start = 1"]
        return lines

    def resumed(self) -> Lines:
        if not self.at("resume", "checkpoint"):
            return []
        state = '{"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 0}'
        return [
            f'torch.save({state}, "last.pt")',
            'checkpoint = torch.load("last.pt")',
            'model.load_state_dict(checkpoint["model"])',
            'optimizer.load_state_dict(checkpoint["optimizer"])',
            'start = checkpoint["epoch"] + 1',
        ]

    # ---- the loop

    def run(self) -> Lines:
        lines: Lines = []
        if self.at("train_mode", "before_loop", "first_line_of_run"):
            lines += ["model.train()"]
        if self.at("clash", "device"):
            lines += ["print(device)"]
        epoch = self.epoch()
        if self.at("epoch_try", "try"):
            epoch = ["try:", *_in(epoch), "except KeyboardInterrupt:", "    break"]
        loop = [f"for {self.counter()} in {self.epoch_range()}:", *_in(epoch)]
        if self.at("phases", "two_loops"):
            again = epoch if not self.at("stop", "none") or self.at("epoch_try", "try") else [*epoch, 'print("second")']
            between = ["for group in optimizer.param_groups:", '    group["lr"] = 0.03']
            loop = [*loop, *between, f"for {self.counter()} in range(2):", *_in(again)]
        if self.at("around", "with") and not self.at("entry", "monolith"):
            loop = ["with torch.autograd.set_detect_anomaly(False):", *_in(loop)]
        lines += [*loop, *self.after_run()]
        return lines

    def counter(self) -> str:
        return "_" if self.at("epochs", "underscore") else "epoch"

    def epoch_range(self) -> str:
        if self.at("resume", "checkpoint") and not self.at("epochs", "from_start", "from_one"):
            return f"range(start, {self.setting('epochs')})"
        n = self.setting("epochs")
        return {
            "from_one": f"range(1, {n} + 1)",
            "from_start": f"range(start, start + {n})",
            "constant": "range(3)",
            "tqdm": f"tqdm(range({n}))",
        }.get(self.c["epochs"], f"range({n})")

    def epoch(self) -> Lines:
        start: Lines = []
        start += {
            "epoch_start": ["print(torch.rand(1).item())"],
            "seed_epoch": ["torch.manual_seed(epoch)"],
            "python": ["drop_first = random.random() < 0.5", "print(drop_first)"],
        }.get(self.c["rng"], [])
        start += self.probe("start")
        start += self.epoch_action()
        start += ["scheduler.step()"] if self.at("scheduler", "epoch_start") else []
        if self.at("scheduler", "hand_epoch"):
            start += ["for group in optimizer.param_groups:", '    group["lr"] = 0.1 * 0.7 ** epoch']
        start += [self.rate("start")] if self.at("lr_print", "epoch_start") else []
        validation = self.validation_block()
        before = validation if self.at("validation", "before", "twice") else []
        middle = ["print(torch.rand(1).item())"] if self.at("rng", "between") else []
        middle += ["scheduler.step()"] if self.at("scheduler", "after_batches", "milestones") else []
        middle += ["scheduler.step(train_loss)"] if self.plateau_on_train() else []
        middle += [self.rate("middle")] if self.at("lr_print", "after_batches") else []
        middle += self.probe("middle")
        after = validation if not self.at("validation", "before", "inside_batch") else []
        end: Lines = []
        end += ["scheduler.step()"] if self.at("scheduler", "after_validation") else []
        if self.at("scheduler", "plateau") and not self.plateau_on_train():
            end += ["scheduler.step(val_loss)"]
        end += [self.rate("after")] if self.at("lr_print", "after_validation") else []
        end += ["print(torch.rand(1).item())"] if self.at("rng", "after_validation") else []
        end += self.epoch_end()
        end += ["scheduler.step()"] if self.at("scheduler", "epoch_end") else []
        end += [self.rate("end")] if self.at("lr_print", "epoch_end") else []
        end += ["print(np.random.rand(), torch.rand(1).item())"] if self.at("rng", "epoch_end", "numpy") else []
        end += self.probe("end")
        end += self.leave()
        return [*start, *before, *self.train_phase(), *middle, *after, *end]

    def epoch_action(self) -> Lines:
        return {
            "freeze": [
                "if epoch == 1:",
                "    for p in model.a.parameters():",
                "        p.requires_grad = False",
            ],
            "unfreeze": [
                "if epoch == 1:",
                "    for p in model.b.parameters():",
                "        p.requires_grad = True",
            ],
            "new_loader": ["train_loader = DataLoader(Data(x_all, y_all), batch_size=8, shuffle=True)"],
            "set_noise": ["train_loader.dataset.noisy = epoch > 1"],
            "skip_epoch": ["if epoch == 1:", "    continue"],
            "replace_criterion": [
                "if epoch == 2:",
                "    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)",
            ],
        }.get(self.c["epoch_action"], [])

    def probe(self, where: str) -> Lines:
        """Show something that a conversion may change without changing names."""
        if not self.at("probe_at", where):
            return []
        net = "model"
        return {
            "training": [f'print("{where}", {net}.training)'],
            "parts": [f'print("{where}", [m.training for m in {net}.modules()])'],
            "random": [f'print("{where}", torch.rand(1).item())'],
            "gradients": [f'print("{where}", [p.grad is None for p in {net}.parameters()])'],
            "rate": [f'print("{where}", optimizer.param_groups[0]["lr"])'],
            "weights": [f'print("{where}", next({net}.parameters()).abs().sum().item())'],
            "gradient_mode": [f'print("{where}", torch.is_grad_enabled())'] if not where.startswith("val") else [],
        }.get(self.c["probe"], [])

    def plateau_on_train(self) -> bool:
        return self.at("scheduler", "plateau_train") or (self.at("scheduler", "plateau") and not self.val_value())

    def val_value(self) -> bool:
        if not self.at("val_form", "inline") and self.at("val_use", "print_call", "fstring", "condition"):
            return False
        return self.at("validation", "after", "before", "twice", "train_data_too")

    def rate(self, where: str) -> str:
        return f'print("{where}", optimizer.param_groups[0]["lr"])'

    def epoch_end(self) -> Lines:
        """What an epoch ends with: printing, keeping the best, and saving."""
        names = ["train_loss"] if self.has_train_loss() else []
        names += ["val_loss", "accuracy"] if self.val_value() and self.at("val_print", "after", "both") else []
        lines = [f"print({', '.join(names)})"] if names else []
        lines += self.late()
        value = "accuracy" if self.val_value() else "-train_loss"
        if self.at("save", "best"):
            lines += [
                f"if {value} > best:",
                f"    best = {value}",
                '    torch.save(model.state_dict(), "best.pt")',
            ]
        elif self.at("save", "best_weights"):
            lines += [
                f"if {value} > best:",
                f"    best = {value}",
                "    kept = copy.deepcopy(model.state_dict())",
            ]
        elif self.at("save", "epoch"):
            lines += ['torch.save(model.state_dict(), f"model_{epoch}.pt")']
        elif self.at("save", "state"):
            state = '{"epoch": epoch, "model": model.state_dict(), "best": best}'
            lines += [f"best = max(best, {value})", f'torch.save({state}, "state.pt")']
        return lines

    def late(self) -> Lines:
        if self.at("last_batch", "kept_output") and self.at("train_form", "inline"):
            return ["print(kept_out.sum().item())"]
        if self.at("late", "epoch"):
            return ['print("epoch", epoch)']
        if not self.at("train_form", "inline"):
            return []
        same = self.at("same_locals", "yes") and self.at("val_form", "inline")
        if self.at("late", "loss"):
            return ["print(loss.item())"] if not self.rebound() else ["print(loss)"]
        if self.at("late", "batch") and not same:
            return ["print(out.shape, y.sum().item())"]
        if self.at("late", "index") and self.index() and not same:
            return [f"print({self.index()})"]
        return []

    def rebound(self) -> bool:
        return self.at("post", "rebind_item") and not self.at("same_locals", "yes")

    def leave(self) -> Lines:
        value = "accuracy" if self.val_value() else "-train_loss"
        if self.at("stop", "patience"):
            shown = [f"if {value} > best:", f"    best, bad = {value}, 0", "else:", "    bad += 1"]
            if self.at("save", "best", "best_weights", "state"):
                shown = [f"if {value} < best:", "    bad += 1"]
            return [*shown, "if bad >= 1:", '    print("stopped")', "    break"]
        if self.at("stop", "threshold"):
            return ["if train_loss < 1.05:", "    break"]
        if self.at("stop", "flag"):
            return ["stop = train_loss < 1.06", "if stop:", "    break"]
        return []

    def after_run(self) -> Lines:
        lines: Lines = self.probe("run_end")
        inline = self.at("train_form", "inline")
        lines += ["print(accuracies)"] if self.at("val_use", "append") and self.evaluates_by_call() else []
        lines += ["print(losses_of_epochs)"] if self.at("train_use", "append") and not inline else []
        lines += ["print(len(outputs))"] if self.at("last_batch", "kept_list") else []
        if self.at("late", "after_run") and inline:
            lines += ["print(float(loss))"]
        if self.at("late", "index_after_run") and inline and self.index():
            lines += [f"print({self.index()})"]
        if self.at("late", "after_run", "epoch") and not self.at("epochs", "underscore"):
            lines += ["print(epoch)"]
        lines += {
            "steps": ["print(steps)"],
            "history": ["print(history)"],
            "best_loss": ["print(lowest)"],
            "dictionary": ["print(stats)"],
        }.get(self.c["run_counter"], [])
        if self.at("save", "best_weights"):
            lines += ["if kept is not None:", "    model.load_state_dict(kept)"]
        if self.at("save", "best"):
            lines += ['print("best", best)']
        if self.at("post", "ema"):
            lines += ["print(sum(p.sum().item() for p in ema.parameters()))"]
        match self.c["after"]:
            case "eval":
                lines += ["model.eval()", "with torch.no_grad():", "    print(model(x_val).sum().item())"]
            case "predict":
                lines += ["print(model(x_val).sum().item())"]
            case "train_again":
                again = [
                    "loss = F.cross_entropy(model(x_val), y_val)",
                    "optimizer.zero_grad()",
                    "loss.backward()",
                ]
                lines += [*again, "optimizer.step()", "print(loss.item())"]
            case "test":
                lines += ["model.eval()", "hits = 0", "with torch.no_grad():"]
                lines += ["    for a, b in DataLoader(TensorDataset(x_val, y_val), batch_size=5):"]
                lines += ["        hits += (model(a).argmax(1) == b).sum().item()", "print(hits)"]
            case "test_function" if self.has_val_function():
                lines += [f'print("test", {self.val_call()})']
        if self.at("save", "end"):
            lines += ['torch.save(model.state_dict(), "final.pt")']
        return lines

    # ---- training phase

    def index(self) -> str:
        return "i" if self.at("batches", "enumerate", "from_one", "tqdm_enumerate", "enumerate_tqdm", "counted") else ""

    def has_train_loss(self) -> bool:
        return self.at("train_form", "inline") or self.at("train_use", "assign", "append")

    def train_phase(self) -> Lines:
        lines: Lines = []
        if self.at("train_mode", "epoch_start"):
            lines += ["model.train()"]
        lines += {
            "floats": ["total, count = 0.0, 0"],
            "tensor_without_item": ["total = 0"],
            "detached": ["total = torch.zeros(1)"],
            "list": ["losses = []"],
            "window": ["running = 0.0"],
            "meter": ["meter = Meter()"],
            "mean_in_loop": ["mean = 0.0"],
            "dict": ['sums = {"loss": 0.0, "n": 0}'],
        }.get(self.c["train_sums"], [])
        if self.full:
            lines += ["x, y = x_all, y_all", *self.body()]
        else:
            if self.at("batches", "counted"):
                lines += ["i = 0"]
            if self.at("batches", "bar"):
                lines += ["bar = tqdm(train_loader)"]
            lines += [self.batch_header(), *_in([*self.top(), *self.unpacking(), *self.body()])]
            lines += ["    i += 1"] if self.at("batches", "counted") and not self.at("syntax", "continue_after") else []
        n = "1" if self.full else "len(train_loader)"
        lines += {
            "floats": ["train_loss = total / count"],
            "tensor_without_item": [f"train_loss = float(total) / {n}"],
            "detached": [f"train_loss = total.item() / {n}"],
            "list": ["train_loss = sum(losses) / len(losses)"],
            "window": ["train_loss = running"],
            "meter": ["train_loss = meter.mean"],
            "mean_in_loop": ["train_loss = mean"],
            "dict": ['train_loss = sums["loss"] / sums["n"]'],
            "none": ["train_loss = float(loss)"],
        }[self.c["train_sums"]]
        if self.at("train_form", "inline"):
            return lines
        return self.used(self.as_function("train", lines, "train_form", ["train_loss"]))

    def used(self, call: Lines) -> Lines:
        """What the epoch does with the result of ``train``."""
        left, _, right = call[0].partition(" = ")
        needed = not self.at("save", "none", "end", "epoch") or not self.at("stop", "none") or self.plateau_on_train()
        if left != "train_loss" or (needed and not self.at("train_use", "append")):
            return call
        return {
            "append": [f"losses_of_epochs.append({right})", "train_loss = losses_of_epochs[-1]"],
            "print_call": [f'print("trained", {right})'],
            "ignored": [right],
        }.get(self.c["train_use"], call)

    def as_function(self, name: str, body: Lines, form: str, results: list[str]) -> Lines:
        """Make a function of the body; what comes back is the call, with the results assigned."""
        kind = self.c[form]
        known = _names(body)
        used = [v for v in ENTRY_VARIABLES if v in known and v not in results]
        carried = [v for v in ENTRY_VARIABLES if v in _stored(body) and v not in results and v != "epoch"]
        if kind in ("globals", "closure"):
            word = "global" if kind == "globals" else "nonlocal"
            outer = [f"{word} {', '.join(carried)}"] if carried else []
            function = [f"def {name}(epoch):" if "epoch" in used else f"def {name}():"]
            function += _in([*outer, *body, f"return {', '.join(results)}"])
            (self.functions if kind == "globals" else self.closures).append(function)
            given = "epoch" if "epoch" in used else ""
            return [f"{', '.join(results)} = {name}({given})"]
        parameters = list(used)
        text = "\n".join([*body, f"return {', '.join([*results, *carried])}"])
        if self.at("rename", "yes"):
            for old, new in RENAMED.items():
                if new not in parameters:
                    text = re.sub(rf"(?<![\w.\"]){old}\b", new, text)
                    parameters = [new if p == old else p for p in parameters]
        decorator = ["@torch.no_grad()"] if kind == "decorated" else []
        self.functions.append([*decorator, f"def {name}({', '.join(parameters)}):", *_in(text.split("\n"))])
        return [f"{', '.join([*results, *carried])} = {name}({self.arguments(used, parameters)})"]

    def arguments(self, given: list[str], parameters: Sequence[str]) -> str:
        if self.at("call", "keywords"):
            pairs = [f"{p}={g}" for p, g in zip(parameters, given, strict=True)]
            return ", ".join([*given[:1], *pairs[1:]])
        return ", ".join(given)

    def batch_header(self) -> str:
        target = {
            "later": "batch",
            "index": "batch",
            "dict": "batch",
            "single": "x",
            "ignored": "x, y, _",
        }.get(self.c["unpack"], "x, y")
        paired = f"({target})" if "," in target else target
        return {
            "enumerate": f"for i, {paired} in enumerate(train_loader):",
            "from_one": f"for i, {paired} in enumerate(train_loader, 1):",
            "tqdm": f"for {target} in tqdm(train_loader):",
            "bar": f"for {target} in bar:",
            "tqdm_enumerate": f"for i, {paired} in tqdm(enumerate(train_loader), total=len(train_loader)):",
            "enumerate_tqdm": f"for i, {paired} in enumerate(tqdm(train_loader)):",
        }.get(self.c["batches"], f"for {target} in train_loader:")

    def unpacking(self) -> Lines:
        return {
            "later": ["x, y = batch"],
            "index": ["x = batch[0].to(device)", "y = batch[1].to(device)"],
            "dict": ['x, y = batch["x"], batch["y"]'],
            "single": ["y = x[:, :3].argmax(1)"],
            "moved": ["x, y = x.to(device), y.to(device)"],
        }.get(self.c["unpack"], [])

    def top(self) -> Lines:
        """A `break` before the batch is used; that on a small batch stands behind the unpacking."""
        if self.at("top_break", "counted") and self.at("run_counter", "steps") and self.at("train_form", "inline"):
            return ["steps += 1", "if steps % 4 == 0:", "    break"]
        if not self.index():
            return []
        return {
            "index": [f"if {self.index()} >= 4:", "    break"],
            "index_of_epoch": [f"if {self.index()} > epoch + 2:", "    break"],
            "said": [f"if {self.index()} == 3:", "    print('enough', epoch)", "    break"],
        }.get(self.c["top_break"], [])

    def body(self) -> Lines:
        c = self.c
        lines: Lines = []
        lines += ["if len(y) < 8:", "    break"] if c["top_break"] == "small" and not self.full else []
        lines += ["model.train()"] if self.at("train_mode", "batch") else []
        if c["syntax"] == "continue" and not self.full:
            lines += ["if len(x) < 8:", "    continue"]
        lines += self.probe("batch_start")
        lines += ["if previous is not None:", "    print(previous)"] if c["last_batch"] == "previous_loss" else []
        lines += ["x = x + 0.1 * torch.randn_like(x)"] if c["rng"] == "batch" else []
        lines += ["scheduler.step()"] if c["scheduler"] == "batch_first" else []
        lines += ["optimizer.zero_grad()"] if c["zero"] in ("before_forward", "top") else []
        lines += ["optimizer.zero_grad(set_to_none=False)"] if c["zero"] == "not_none" else []
        lines += ["model.zero_grad()"] if c["zero"] == "model" else []
        lines += self.forward()
        lines += ["optimizer.zero_grad()"] if c["zero"] == "between" else []
        step = ["loss.backward()", *self.between(), "optimizer.step()"]
        if c["accumulate"] != "none" and (self.index() or self.full):
            if c["zero"] != "after_step":
                lines = [n for n in lines if ".zero_grad(" not in n]
            number = "epoch" if self.full else self.index()
            if self.full and self.at("epochs", "underscore"):
                self.c["epochs"] = "range"
            test = f"({number} + 1) % 3 == 0"
            if c["accumulate"] == "three_or_last" and not self.full:
                test += f" or {number} + 1 == len(train_loader)"
            if c["accumulate"] == "three_divided":
                lines += ["loss = loss / 3"]
            lines += ["loss.backward()"]
            step = [f"if {test}:", *_in([*self.between(), "optimizer.step()", "optimizer.zero_grad()"])]
        if c["second_net"] == "joint":
            lines += ["other_optimizer.zero_grad()"]
            step += ["other_optimizer.step()"]
        elif c["second_net"] == "gan":
            step += [
                "other_optimizer.zero_grad()",
                "F.cross_entropy(other(x), y).backward()",
                "other_optimizer.step()",
            ]
        lines += ["loss.backward(); optimizer.step()"] if c["syntax"] == "semicolons" and len(step) == 2 else step
        if c["in_batch_save"] == "every_three" and self.index():
            lines += [f"if {self.index()} % 3 == 0:", '    torch.save(model.state_dict(), "step.pt")']
        lines += ["optimizer.zero_grad()"] if c["zero"] == "after_step" else []
        lines += ["model.zero_grad()"] if c["zero"] == "model_after" else []
        lines += self.per_batch_schedule()
        lines += self.post()
        if self.at("validation", "inside_batch") and self.index():
            lines += [
                f"if {self.index()} % 3 == 1:",
                *_in([*self.validation_once(), "print(val_loss)", "model.train()"]),
            ]
        lines += self.tail()
        return lines

    def forward(self) -> Lines:
        syntax = self.c["syntax"]
        if self.at("rng", "mixup"):
            mixed = ["weight = np.random.beta(0.4, 0.4)", "order = torch.randperm(x.size(0))"]
            mixed += ["x = weight * x + (1 - weight) * x[order]"]
        else:
            mixed = []
        if self.at("loss", "returned") and not self.full:
            return [*mixed, "loss, out = model(x, y)"]
        match syntax:
            case "nested_function":
                out = ["def compute(z):", "    return model(z)", "", "out = compute(x)"]
            case "lambda":
                out = ["apply = lambda z: model(z)", "out = apply(x)"]
            case "try_block":
                out = ["try:", "    out = model(x)", "except RuntimeError:", "    raise"]
            case "with_block":
                out = ["with torch.enable_grad():", "    out = model(x)"]
            case "multiline":
                out = ["out = model(", "    x", ")"]
            case "conditional":
                out = ["if x.size(0) > 4:", "    out = model(x)", "else:", "    out = model(x) * 0.5"]
            case _:
                out = ["out = model(x)"]
        match self.c["loss"]:
            case "functional":
                loss = ["loss = F.cross_entropy(out, y)"]
            case "statements":
                loss = ["loss = criterion(out, y)", "loss = loss + 0.01 * out.pow(2).mean()"]
            case "regularised":
                loss = [
                    "loss = criterion(out, y)",
                    "for p in model.parameters():",
                    "    loss += 0.001 * p.abs().sum()",
                ]
            case _:
                loss = ["loss = criterion(out, y)"]
        if self.at("second_net", "frozen_teacher"):
            loss += [
                "with torch.no_grad():",
                "    wanted = teacher(x)",
                "loss = loss + 0.1 * F.mse_loss(out, wanted)",
            ]
        elif self.at("second_net", "joint"):
            loss += ["loss = loss + 0.1 * criterion(other(x) + out, y)"]
        return [*mixed, *out, *loss]

    def between(self) -> Lines:
        clip = {
            "norm": ["torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)"],
            "value": ["nn.utils.clip_grad_value_(model.parameters(), 0.05)"],
            "norm_kept": ["norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)"],
        }.get(self.c["clip"], [])
        between = {
            "print": ['print("loss", loss.item())'],
            "grad_norm": [
                'print("grads", sum(p.grad.norm().item() for p in model.parameters() if p.grad is not None))'
            ],
            "scale_grads": [
                "for p in model.parameters():",
                "    if p.grad is not None:",
                "        p.grad.mul_(0.5)",
            ],
            "accuracy": ["right = (out.argmax(1) == y).float().mean().item()"],
        }.get(self.c["between"], [])
        return [*between, *clip]

    def per_batch_schedule(self) -> Lines:
        number = self.index() or "0"
        return {
            "batch": ["scheduler.step()"],
            "warmup": ["scheduler.step()"],
            "batch_fraction": [f"scheduler.step(epoch + {number} / 5)"],
            "hand_batch": ["for group in optimizer.param_groups:", '    group["lr"] *= 0.97'],
        }.get(self.c["scheduler"], [])

    def post(self) -> Lines:
        index = self.index()
        lines = {
            "print_loss": ["print(loss.item())"],
            "every_two": [f"if {index} % 2 == 0:", f"    print({index}, loss.item(), len(train_loader))"]
            if index
            else [],
            "inplace_output": ["out.data.clamp_(-0.1, 0.1)", "print(out.sum().item())"],
            "parameter": ["print(next(model.parameters()).sum().item())"],
            "ema": [
                "for e, p in zip(ema.parameters(), model.parameters()):",
                "    e.data.mul_(0.9).add_(p.data, alpha=0.1)",
            ],
            "clamp": [
                "with torch.no_grad():",
                "    for p in model.parameters():",
                "        p.clamp_(-0.3, 0.3)",
            ],
            "grad_norm": ["print(sum(p.grad.abs().sum().item() for p in model.parameters() if p.grad is not None))"],
            "output_of_new_weights": ["with torch.no_grad():", "    print(model(x).sum().item())"],
            "accuracy": ["hits = (out.argmax(1) == y).sum().item()", "print(hits / len(y))"],
            "inplace_input": ["x.mul_(0.0)", "print(x.sum().item(), out.sum().item())"],
            "detach_output": ["out = out.detach()", "print(out.abs().max().item())"],
            "loss_times": ["loss = loss * len(x)", "print(loss.item())"],
            "rebind_item": ["loss = loss.item()", "print(loss)"],
        }.get(self.c["post"], [])
        value = "loss" if self.at("post", "rebind_item") else "loss.item()"
        lines = list(lines)
        lines += {
            "floats": [f"total += {value} * len(x)", "count += len(x)"],
            "tensor_without_item": ["total += loss"],
            "detached": ["total += loss.detach()" if not self.at("post", "rebind_item") else "total += loss"],
            "list": [f"losses.append({value})"],
            "meter": [f"meter.update({value}, len(x))"],
            "mean_in_loop": [f"mean = 0.9 * mean + 0.1 * {value}"],
            "dict": [f'sums["loss"] += {value}', 'sums["n"] += 1'],
            "window": [f"running += {value}"],
        }.get(self.c["train_sums"], [])
        if self.at("train_sums", "window") and index:
            lines += [f"if ({index} + 1) % 2 == 0:", "    print(running / 2)", "    running = 0.0"]
        if self.at("batches", "bar"):
            lines += [f"bar.set_postfix(loss={value})"]
        lines += {
            "steps": ["steps += 1"],
            "history": [f"history.append({value})"],
            "best_loss": [f"lowest = min(lowest, {value})"],
            "dictionary": ['stats["steps"] += 1', f'stats["losses"].append({value})'],
        }.get(self.c["run_counter"], [])
        every_step = self.at("accumulate", "none") or not (index or self.full)
        if self.at("clip", "norm_kept") and every_step:
            lines += ["print(norm.item())"]
        if self.at("between", "accuracy") and every_step:
            lines += ["print(right)"]
        lines += [self.rate("batch")] if self.at("lr_print", "batch") else []
        lines += {
            "previous_loss": [f"previous = {value}"],
            "kept_output": ["kept_out = out"],
            "kept_list": ["outputs.append(out.detach())"],
        }.get(self.c["last_batch"], [])
        lines += self.probe("batch_end")
        return lines

    def tail(self) -> Lines:
        lines = {
            "comprehension": ["sizes = [int(v) for v in y if v > 0]", "print(sizes)"],
            "fstring": [
                'print(f"{loss=:.4f} {len(x)=}")' if self.at("post", "rebind_item") else 'print(f"{loss.item()=:.4f}")'
            ],
            "del": ["del x, out"] if self.at("late", "none", "loss", "after_run", "epoch") and not self.full else [],
            "walrus": ["if (n := len(y)) < 8:", "    print(n)"],
            "inner_loop": ["for k in range(2):", "    print(k, out[0, k].item())"],
            "continue_after": ["if len(x) < 8:", "    continue", 'print("full batch")'],
            "break_after": ["if len(y) < 8:", "    break"],
            "assert": ["assert torch.isfinite(torch.as_tensor(loss))"],
        }.get(self.c["syntax"], [])
        lines = list(lines)
        if self.full and self.at("syntax", "continue_after"):
            lines = []
        if self.at("stop", "in_batches") and self.index() and not self.full:
            lines += [f"if {self.index()} >= 3:", "    break"]
        return lines

    # ---- validation phase

    def has_val_function(self) -> bool:
        return not self.at("validation", "none") and not self.at("val_form", "inline")

    def validation_block(self) -> Lines:
        if self.at("validation", "none", "inside_batch"):
            return []
        once = self.validation_once()
        unnamed = not self.at("val_form", "inline") and self.at("val_use", "print_call", "fstring", "condition")
        if self.at("val_print", "after", "both") and not self.val_value() and not unnamed:
            once = [*once, "print(accuracy)"]
        last = f"{self.setting('epochs')} - 1"
        tests = {
            "every_two": "(epoch + 1) % 2 == 0",
            "every_two_from_first": "epoch % 2 == 0",
            "first_only": "epoch == 1",
            "not_first": "epoch > 1",
            "last_only": f"epoch == {last}",
        }
        if self.c["validation"] in tests:
            return [f"if {tests[self.c['validation']]}:", *_in(once)]
        if self.at("validation", "train_data_too") and not self.full:
            return [*self.validation_once("train_loader"), 'print("on training data", accuracy)', *once]
        return once

    def val_call(self) -> str:
        arguments = self.val_arguments
        return f"evaluate({', '.join(arguments)})"

    val_arguments: tuple[str, ...] = ()

    def validation_once(self, loader: str = "val_loader") -> Lines:
        """One evaluation that leaves ``val_loss`` and ``accuracy``."""
        if self.at("val_form", "inline"):
            return self.val_phase(loader)
        own = self.val_phase("val_loader")
        closure = self.at("val_form", "globals", "closure")
        parameter = [v for v in ENTRY_VARIABLES if v in _names(own)]
        if closure:
            parameter = [v for v in parameter if v in ("val_loader", "epoch")]
        if not self.made:
            self.made = True
            self.define_evaluate(own, parameter)
            self.val_arguments = tuple(parameter)
        given = [loader if p == "val_loader" else p for p in parameter]
        call = f"evaluate({self.arguments(given, self.val_parameters)})"
        if loader == "train_loader" or self.at("validation", "inside_batch"):
            return [f"val_loss, accuracy = {call}"]
        return {
            "append": [f"accuracies.append({call})", "val_loss, accuracy = accuracies[-1]"],
            "print_call": [f'print("result", {call})'],
            "subscript": [f"accuracy = {call}[1]", "val_loss = -accuracy"],
            "fstring": [f'print(f"result {{{call}}}")'],
            "condition": [f"if {call}[1] > 0.4:", '    print("good")'],
        }.get(self.c["val_use"], [f"val_loss, accuracy = {call}"])

    def evaluates_by_call(self) -> bool:
        return not self.at("val_form", "inline")

    val_parameters: tuple[str, ...] = ()

    made = False

    def define_evaluate(self, body: Lines, parameters: list[str]) -> None:
        text = "\n".join([*body, "return val_loss, accuracy"])
        names = list(parameters)
        if self.at("rename", "yes") and not self.at("val_form", "globals", "closure"):
            for old, new in RENAMED.items():
                text = re.sub(rf"(?<![\w.\"]){old}\b", new, text)
                names = [new if p == old else p for p in names]
        elif self.at("val_form", "globals", "closure"):
            text = re.sub(r"\bval_loader\b", "loader", text)
            names = ["loader" if p == "val_loader" else p for p in names]
        self.val_parameters = tuple(names)
        if self.at("call", "defaults"):
            names = [f"{n}=None" if n == "epoch" else n for n in names]
        decorator = ["@torch.no_grad()"] if self.at("val_form", "decorated") else []
        function = [*decorator, f"def evaluate({', '.join(names)}):", *_in(text.split("\n"))]
        (self.closures if self.at("val_form", "closure") else self.functions).append(function)

    def val_phase(self, loader: str) -> Lines:
        same = self.at("same_locals", "yes")
        x, y, out, loss = ("x", "y", "out", "loss") if same else ("vx", "vy", "logits", "batch_loss")
        lines: Lines = []
        lines += ["model.eval()"] if self.at("eval_mode", "before", "before_and_back") else []
        lines += ["model.train(False)"] if self.at("eval_mode", "false_argument") else []
        sums = {
            "tensors": ["hits, val_sum = 0, 0"],
            "lists": ["val_losses, rights = [], []"],
            "concatenated": ["outs, ys = [], []"],
            "meter": ["val_meter, hit_meter = Meter(), Meter()"],
        }.get(self.c["val_sums"], ["hits, val_sum, seen = 0, 0.0, 0"])
        net = {"ema": "ema({0})", "both": "(model({0}) + ema({0})) / 2"}.get(self.c["val_model"], "model({0})").format(
            x
        )
        inner = [f"{out} = {net}", f"{loss} = F.cross_entropy({out}, {y})", *self.probe("val_batch")]
        size = f"len({x})"
        inner += {
            "tensors": [f"hits += ({out}.argmax(1) == {y}).sum()", f"val_sum += {loss} * {size}"],
            "lists": [f"val_losses.append({loss}.item())", f"rights += ({out}.argmax(1) == {y}).tolist()"],
            "concatenated": [f"outs.append({out})", f"ys.append({y})"],
            "meter": [
                f"val_meter.update({loss}.item(), {size})",
                f"hit_meter.update(({out}.argmax(1) == {y}).float().mean().item(), {size})",
            ],
        }.get(
            self.c["val_sums"],
            [
                f"val_sum += {loss}.item() * {size}",
                f"hits += ({out}.argmax(1) == {y}).sum().item()",
                f"seen += {size}",
            ],
        )
        finish = {
            "tensors": ["val_loss, accuracy = float(val_sum) / 17, float(hits) / 17"],
            "lists": ["val_loss, accuracy = sum(val_losses) / len(val_losses), sum(rights) / len(rights)"],
            "concatenated": [
                "outs, ys = torch.cat(outs), torch.cat(ys)",
                "val_loss = F.cross_entropy(outs, ys).item()",
                "accuracy = (outs.argmax(1) == ys).float().mean().item()",
            ],
            "meter": ["val_loss, accuracy = val_meter.mean, hit_meter.mean"],
        }.get(self.c["val_sums"], ["val_loss, accuracy = val_sum / seen, hits / seen"])
        if self.full:
            loop = [f"{x}, {y} = x_val, y_val", *inner]
        else:
            if self.at("no_grad", "inside_loop"):
                inner = ["with torch.no_grad():", *_in(inner)]
            loop = self.val_loop(loader, x, y, inner)
        if self.at("eval_mode", "inside_no_grad"):
            loop = ["model.eval()", *loop]
        if self.at("val_form", "decorated"):
            covered = loop
        else:
            covered = {
                "with": ["with torch.no_grad():", *_in(loop)],
                "inference": ["with torch.inference_mode():", *_in(loop)],
                "switched": ["torch.set_grad_enabled(False)", *loop, "torch.set_grad_enabled(True)"],
            }.get(self.c["no_grad"], loop)
        lines += [*self.probe("val_start"), *sums, *covered, *finish, *self.probe("val_end")]
        if self.at("val_print", "inside", "both"):
            lines += ['print("validation", val_loss, accuracy)']
        if self.at("lr_print", "in_validation"):
            lines += [self.rate("validation")]
        if self.at("eval_mode", "before_and_back") or self.at("train_mode", "after_eval"):
            lines += ["model.train()"]
        return lines

    def val_loop(self, loader: str, x: str, y: str, inner: Lines) -> Lines:
        target = {"dict": "item", "single": x, "ignored": f"{x}, {y}, _"}.get(self.c["unpack"], f"{x}, {y}")
        first = {"dict": [f'{x}, {y} = item["x"], item["y"]'], "single": [f"{y} = {x}[:, :3].argmax(1)"]}
        header = f"for {target} in {loader}:"
        ending: Lines = []
        if self.at("val_leave", "enumerate_break"):
            j = "i" if self.at("same_locals", "yes") else "j"
            paired = f"({target})" if "," in target else target
            header = f"for {j}, {paired} in enumerate({loader}):"
            ending = [f"if {j} == 1:", "    break"]
        elif self.at("val_leave", "break"):
            ending = [f"if len({x}) < 6:", "    break"]
        elif self.at("val_leave", "continue"):
            inner = [*inner[:2], f"if len({x}) < 6:", "    continue", *inner[2:]] if "with" not in inner[0] else inner
        return [header, *_in([*first.get(self.c["unpack"], []), *inner, *ending])]


_METER = """\
class Meter:
    def __init__(self):
        self.sum, self.count, self.mean = 0.0, 0, 0.0

    def update(self, value, n=1):
        self.sum += value * n
        self.count += n
        self.mean = self.sum / self.count
""".splitlines()


EPOCHS = Grammar("epochs", DIMENSIONS, assemble)
