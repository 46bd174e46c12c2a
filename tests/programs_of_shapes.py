"""Random programs of many shapes: how people write the loops, and what they put into them.

The shape says where the loops stand; what is in them comes from tests/program_parts.py. Combinations that make no
sense fall back to what does (`_settled`), so that every choice of options is a program that runs.
"""

from __future__ import annotations

import re

from program_grammar import Choices, Grammar, Lines, dimensions, indented, names_in, names_stored
from program_parts import ADVERSARIAL, PARTS, Parts

_SHAPES = {
    "shape": (
        "nested function pair step_function full_batch windows zipped folds twice while_epochs while_steps "
        "while_true steps next_batch solver episodes replaced_optimizer generator phases layers cycled"
    ),
    "entry": "module main guard",
    "access": "params globals",
    "epochs": "range from_one tqdm",
    **PARTS,
    "validation": "none inline function",
    "when": "each before_training every_two in_batches last twice",
    "best": "none file copy checkpoint",
    "epoch_action": "none freeze unfreeze lower_rate new_loader print_rate",
    "config": "constants argparse dict namespace",
    "after": "none eval save predict",
    "wording": "none docstrings comments hints",
}
DIMENSIONS = dimensions(_SHAPES)
WITHOUT_EPOCHS = ("while_steps", "while_true", "steps", "next_batch")
TIME = {**dict.fromkeys(WITHOUT_EPOCHS, "step"), "episodes": "episode"}
FUNCTIONS = ("pair", "step_function", "layers")
_WALK = """\
class Walk:
    def __init__(self):
        self.place, self.left = 0, 0

    def look(self):
        seen = torch.zeros(6)
        seen[self.place] = 1.0
        return seen

    def reset(self):
        self.place, self.left = 2, 6
        return self.look()

    def step(self, action):
        self.place = min(5, max(0, self.place + action - 1))
        self.left -= 1
        return self.look(), float(self.place == 5), self.place == 5 or self.left == 0


""".splitlines()


def assemble(choices: Choices) -> str:
    """The program for these choices."""
    return _Program(_settled(dict(choices))).text()


def _settled(c: Choices) -> Choices:
    """Choices that make sense together."""

    def at(name: str, *options: str) -> bool:
        return c[name] in options

    shape = c["shape"]
    loader = shape not in ("full_batch", "windows", "while_true", "steps", "episodes")
    if at("entry", "main"):
        c["access"] = "params"
    if shape not in FUNCTIONS:
        c["access"] = "params" if shape != "function" else c["access"]
    if at("optimizer", *ADVERSARIAL):
        c |= {"model": "sequential", "loss": "criterion", "precision": "none", "accumulate": "none", "zero": "before"}
        c["best"], c["after"] = "none", "none"
    if at("optimizer", "lbfgs"):
        c |= {"precision": "none", "accumulate": "none"}
    if at("optimizer", "sharp", "attacked", "two_losses"):
        c |= {"precision": "none", "accumulate": "none"}
    if at("optimizer", *ADVERSARIAL, "lbfgs", "sharp", "attacked", "two_losses") and at("state", "memory"):
        c["state"] = "none"
    if at("optimizer", *ADVERSARIAL, "lbfgs") and at("control", "nan_skip", "nan_stop", "raise"):
        c["control"] = "none"
    if at("accumulate", "chunks") and at("control", "nan_skip", "nan_stop", "raise"):
        c["control"] = "none"
    if at("model", "two", "frozen") and at("epoch_action", "freeze", "unfreeze"):
        c["epoch_action"] = "none"
    if at("optimizer", *ADVERSARIAL) and at("epoch_action", "freeze", "unfreeze"):
        c["epoch_action"] = "none"
    if at("optimizer", "noam") and (at("precision", "scaler", "both", "cuda", "either") or not at("scheduler", "none")):
        c["precision"], c["scheduler"] = "none", "none"
    if at("optimizer", "noam") and at("zero", "not_none"):
        c["zero"] = "before"
    if at("optimizer", *ADVERSARIAL) and at("state", "ema_class"):
        c["state"] = "none"
    if at("epoch_action", "freeze", "unfreeze") and at("optimizer", "attacked", "two_losses"):
        c["epoch_action"] = "none"
    if shape == "phases":
        c |= {"validation": "none", "gradients": "with", "when": "each", "random": "none"}
        c |= {"control": "none", "batches": "plain", "log": "time", "optimizer": "momentum", "accumulate": "none"}
        c |= {"zero": "before", "state": "losses" if at("state", "losses") else "none", "best": c["best"]}
        c |= {"clip": c["clip"] if at("clip", "norm", "value") else "none"}
    if not loader:
        c |= {"batch": "tuple", "batches": "plain"}
        if at("random", "dataset", "generator"):
            c["random"] = "none"
        if at("epoch_action", "new_loader"):
            c["epoch_action"] = "none"
        if at("accumulate", "or_last"):
            c["accumulate"] = "every_two"
    if shape in WITHOUT_EPOCHS:
        c |= {"epochs": "range", "mode": "batch" if at("mode", "batch") else "before_loop"}
        if at("epoch_action", "freeze", "unfreeze", "new_loader"):
            c["epoch_action"] = "none"
        if at("scheduler", "epoch_first", "numbered"):
            c["scheduler"] = "epoch"
        if at("control", "break_after", "early_stop", "stopper", "continue", "nan_skip", "nan_stop"):
            c["control"] = "none"
        if at("accumulate", "or_last", "dropped"):
            c["accumulate"] = "every_two"
        if at("random", "seed"):
            c["random"] = "none"
        if at("when", "in_batches", "last", "twice"):
            c["when"] = "each"
        if at("state", "memory"):
            c["state"] = "memory_of_run"
    if shape in ("full_batch", "episodes", "step_function", "layers"):
        if at("control", "break_after", "nan_stop") or (
            shape not in ("step_function", "layers") and at("control", "continue", "nan_skip")
        ):
            c["control"] = "none"
        if at("when", "in_batches"):
            c["when"] = "each"
        if at("accumulate", "or_last", "dropped"):
            c["accumulate"] = "every_two"
    if shape in ("full_batch", "layers") and at("state", "memory"):
        c["state"] = "memory_of_run"
    if shape == "episodes":
        c |= {"model": "sequential", "validation": "none", "precision": "none", "random": "none", "loss": "criterion"}
        c |= {
            "optimizer": "adam"
            if at("optimizer", *ADVERSARIAL, "lbfgs", "sharp", "attacked", "two_losses", "two", "listed")
            else c["optimizer"]
        }
        c |= {
            "accumulate": "none",
            "state": "none" if at("state", "memory", "memory_of_run", "counter") else c["state"],
        }
        c |= {"control": "none", "device": "none", "when": "each"}
        if at("epoch_action", "freeze", "unfreeze"):
            c["epoch_action"] = "none"
    if shape == "replaced_optimizer" and at("optimizer", *ADVERSARIAL, "two", "listed"):
        c["optimizer"] = "sgd"
    if shape in ("step_function", "layers") and at("when", "in_batches"):
        c["when"] = "each"
    if at("batches", "with_bar") and shape in (*WITHOUT_EPOCHS, *FUNCTIONS, "zipped", "cycled", "generator"):
        c["batches"] = "plain"
    if at("batches", "bar") and shape in ("zipped", "cycled", "generator", "layers"):
        c["batches"] = "plain"
    if shape == "solver" and at("entry", "module"):
        c["entry"] = "guard"
    if shape in (*WITHOUT_EPOCHS, "full_batch", "episodes", "step_function", "layers", "solver", "phases") and at(
        "control", "flag"
    ):
        c["control"] = "none"
    if shape == "folds" and at("loading", "split", "subset"):
        c["loading"] = "plain"
    if at("control", "try_step") and (shape in ("full_batch", "episodes") or shape in WITHOUT_EPOCHS):
        c["control"] = "none"
    if at("validation", "inline") and at("gradients", "decorated"):
        c["gradients"] = "with"
    if at("gradients", "inference") and at("validation", "none"):
        c["gradients"] = "with"
    if at("validation", "none") and at("best", "file", "copy") and at("optimizer", *ADVERSARIAL):
        c["best"] = "none"
    numbered = (
        at("optimizer", "critic_more")
        or at("accumulate", "every_two", "or_last", "odd", "dropped")
        or at("log", "every_two")
    )
    numbered = numbered or at("control", "break_after") or (at("when", "in_batches") and not at("validation", "none"))
    if numbered and shape not in WITHOUT_EPOCHS and loader:
        c["batches"] = {"plain": "enumerate", "bar": "tqdm", "with_bar": "tqdm"}.get(c["batches"], c["batches"])
        if at("batches", "tqdm"):
            c["batches"] = "enumerate_tqdm"
    return c


class _Program(Parts):
    """Writes one program."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(choices)
        shape = self.c["shape"]
        self.shape = shape
        self.loader = shape not in ("full_batch", "windows", "while_true", "steps", "episodes")
        self.time = TIME.get(shape, "epoch")
        self.number = {"full_batch": "epoch", "windows": "i // 8"}.get(shape, "i")
        if shape in WITHOUT_EPOCHS or shape == "episodes":
            self.number = self.time
        if shape in ("step_function", "layers"):
            self.skip = "return 0.0"
        self.definitions: list[Lines] = []
        self.known: set[str] = set()
        self.globals: set[str] = set()

    # ---- the whole

    def text(self) -> str:
        seed = ["torch.manual_seed(3)", "random.seed(3)", "np.random.seed(3)"]
        setup = [*self.config(), *self.device(), *self.data(), *(self.loaders() if self.uses_loaders() else [])]
        made = [*self.models(), "criterion = nn.CrossEntropyLoss()", *self.frozen_at_first()]
        made += [*self.optimizers(), *self.schedulers(), *self.scaler()]
        self.known = names_stored([*setup, *made]) | {self.time, "x", "y"}
        if self.shape == "folds":
            setup = [*self.config(), *self.device(), *self.data()]
            self.known |= names_stored(self.loaders("x_part", "y_part"))
        states = self.states()
        self.known |= names_stored(states) | ({"memory"} if self.shape in ("step_function", "layers") else set())
        run = self.run()
        if self.shape == "solver":
            return self.solver(seed, setup, made, states)
        if self.shape == "function":
            lines = self.in_function([*states, *run], [*seed, *setup, *made])
        elif self.shape == "folds":
            chosen = ["held = torch.arange(len(x_all)) % 2 == fold", "x_part, y_part = x_all[~held], y_all[~held]"]
            fold = [*chosen, *self.loaders("x_part", "y_part"), *made, *states, *run]
            lines = [*seed, *setup, "for fold in range(2):", *indented(fold)]
        elif self.shape == "twice":
            again = [f"for group in {self.optimizer_name}.param_groups:", '    group["lr"] = 0.02', 'print("second")']
            lines = [*seed, *setup, *made, *states, *run, *again, *run]
        else:
            lines = [*seed, *setup, *made, *states, *run]
        return self.whole([*lines, *self.afterwards()])

    def whole(self, lines: Lines, more: Lines | None = None) -> str:
        head = [*self.imports(), "", "", *self.classes(), *(_WALK if self.shape == "episodes" else []), *(more or [])]
        defined = [line for definition in self.definitions for line in [*definition, "", ""]]
        if self.at("entry", "main"):
            text = [
                *head,
                *defined,
                "def main():",
                *indented(lines),
                "",
                "",
                'if __name__ == "__main__":',
                "    main()",
            ]
        elif self.at("entry", "guard"):
            text = [*head, *defined, 'if __name__ == "__main__":', *indented(lines)]
        else:
            text = [*head, *defined, *lines]
        return self.worded(re.sub(r"\n{4,}", "\n\n\n", "\n".join(text) + "\n"))

    def imports(self) -> Lines:
        return [
            "import argparse",
            "import copy",
            "import itertools",
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

    def worded(self, text: str) -> str:
        if self.at("wording", "docstrings"):
            return re.sub(r"(?m)^( *)(def \w+\(.*\):)$", r'\1\2\n\1    """What it does."""', text)
        if self.at("wording", "comments"):
            text = re.sub(r"(?m)^( +)(loss\.backward\(\))$", r"\1# gradients\n\1\2  # of the loss", text)
            text = re.sub(r"(?m)^( *)((?:for|while) .*:)$", r"\1# again and again\n\1\2  # until it ends", text)
            return re.sub(r"(?m)^( +)(\w*scheduler\.step\(.*\))$", r"\1# lower the rate\n\1\2", text)
        if self.at("wording", "hints"):
            text = re.sub(r"(?m)^( *def \w+\(.*)\bmodel([,)].*:)$", r"\1model: nn.Module\2", text)
            return re.sub(r"(?m)^( *)(running) = 0\.0$", r"\1\2: float = 0.0", text)
        return text

    def config(self) -> Lines:
        n = {"full_batch": "6", "episodes": "5"}.get(self.shape, "2")
        values = f"epochs={n}, every=2"
        return {
            "argparse": [
                "parser = argparse.ArgumentParser()",
                f'parser.add_argument("--epochs", type=int, default={n})',
                'parser.add_argument("--every", type=int, default=2)',
                "args = parser.parse_args()",
            ],
            "dict": [f"args = dict({values})"],
            "namespace": [f"args = types.SimpleNamespace({values})"],
        }.get(self.c["config"], [f"num_epochs = {n}"])

    def setting(self) -> str:
        return {"constants": "num_epochs", "dict": 'args["epochs"]'}.get(self.c["config"], "args.epochs")

    def uses_loaders(self) -> bool:
        return self.loader or not self.at("validation", "none")

    def frozen_at_first(self) -> Lines:
        if not self.at("epoch_action", "unfreeze"):
            return []
        return [f"for p in list({self.parameters()})[:1]:", "    p.requires_grad = False"]

    # ---- the loops

    def run(self) -> Lines:
        """The training."""
        lines = self.switch("train") if self.at("mode", "before_loop") else []
        if self.at("zero", "once_and_after") and self.at("accumulate", "none"):
            lines += ["optimizer.zero_grad()"] if not self.at("optimizer", *ADVERSARIAL, "lbfgs") else []
        if self.at("when", "before_training", "twice") and not self.at("validation", "none"):
            lines += self.validated()
        lines += {
            "while_steps": self.while_steps,
            "while_true": self.while_true,
            "steps": self.steps,
            "next_batch": self.next_batch,
        }.get(self.shape, self.over_epochs)()
        return [*lines, *self.states_shown()]

    def over_epochs(self) -> Lines:
        before: Lines = ["env = Walk()"] if self.shape == "episodes" else []
        n = self.setting()
        epoch = self.epoch()
        if self.shape == "while_epochs":
            number = "epoch = 0" if not self.at("epochs", "from_one") else "epoch = 1"
            test = f"epoch < {n}" if not self.at("epochs", "from_one") else f"epoch <= {n}"
            epoch = [*epoch, "epoch += 1"]
            loop = [number, f"while {test}:", *indented(epoch)]
        else:
            over = {"from_one": f"range(1, {n} + 1)", "tqdm": f"tqdm(range({n}))"}.get(self.c["epochs"], f"range({n})")
            loop = [f"for {self.time} in {over}:", *indented(epoch)]
        if self.at("control", "finally"):
            loop = ["try:", *indented(loop), "finally:", '    print("over")']
        elif self.at("control", "interrupt"):
            loop = ["try:", *indented(loop), "except KeyboardInterrupt:", '    print("interrupted")']
        return [*before, *loop]

    def epoch(self) -> Lines:
        lines: Lines = []
        if self.at("random", "seed"):
            lines += [f"torch.manual_seed({self.time})"]
        lines += self.epoch_action()
        lines += ["scheduler.step()"] if self.at("scheduler", "epoch_first") else []
        lines += self.train_phase()
        lines += ["scheduler.step()"] if self.at("scheduler", "epoch", "milestones") else []
        lines += [f"scheduler.step({self.time})"] if self.at("scheduler", "numbered") else []
        lines += self.epoch_validation()
        lines += ["scheduler.step()"] if self.at("scheduler", "after_validation") else []
        lines += ["if done:", "    break"] if self.at("control", "flag") else []
        return [*lines, *self.epoch_end()]

    def epoch_action(self) -> Lines:
        if self.shape == "replaced_optimizer":
            made = f"torch.optim.Adam({self.parameters()}, lr=0.01)"
            lines = [f"if {self.time} == 1:", f"    optimizer = {made}"]
            scheduler = self.schedulers()
            return [*lines, *indented(scheduler)]
        return {
            "freeze": [
                f"if {self.time} == 1:",
                f"    for p in list({self.parameters()})[:1]:",
                "        p.requires_grad = False",
            ],
            "unfreeze": [
                f"if {self.time} == 1:",
                f"    for p in list({self.parameters()})[:1]:",
                "        p.requires_grad = True",
            ],
            "lower_rate": [
                f"if {self.time} == 1:",
                f"    for group in {self.optimizer_name}.param_groups:",
                '        group["lr"] *= 0.1',
            ],
            "new_loader": self.loaders()[:1] if self.shape != "folds" else [],
            "print_rate": [f'print("rate", {self.optimizer_name}.param_groups[0]["lr"])'],
        }.get(self.c["epoch_action"], [])

    def batch_loop(self, body: Lines) -> Lines:
        """The loop over the batches of an epoch around a body."""
        target = self.target()
        loader = "train_loader"
        inner = [*self.unpacking(), *body]
        if self.shape == "zipped":
            target, loader = (
                f"({target}), extra" if "," in target else f"{target}, extra",
                "zip(train_loader, val_loader)",
            )
        if self.shape == "cycled":
            loader = "zip(train_loader, itertools.cycle(val_loader))"
            target = f"({target}), extra" if "," in target else f"{target}, extra"
        if self.shape == "generator":
            loader = "batches_of(train_loader)"
            made = ["for batch in loader:", "    yield batch"]
            self.definitions.append(["def batches_of(loader):", *indented(made)])
        paired = f"({target})" if "," in target else target
        header = {
            "enumerate": f"for i, {paired} in enumerate({loader}):",
            "from_one": f"for i, {paired} in enumerate({loader}, 1):",
            "enumerate_tqdm": f"for i, {paired} in enumerate(tqdm({loader})):",
            "tqdm": f"for {target} in tqdm({loader}):",
            "bar": f"for {target} in bar:",
        }.get(self.c["batches"], f"for {target} in {loader}:")
        if self.shape == "windows":
            start = ["order_of_rows = torch.randperm(len(x_all))"]
            rows = ["rows = order_of_rows[i : i + 8]", "x, y = x_all[rows], y_all[rows]"]
            return [*start, "for i in range(0, len(x_all), 8):", *indented([*rows, *inner])]
        if self.at("batches", "with_bar"):
            return ["with tqdm(train_loader) as bar:", f"    for {target} in bar:", *indented(indented(inner))]
        bar = ["bar = tqdm(train_loader)"] if self.bar() else []
        return [*bar, header, *indented(inner)]

    def bar(self) -> bool:
        return (
            self.at("batches", "bar", "with_bar")
            and self.loader
            and self.shape not in (*WITHOUT_EPOCHS, "step_function", "layers")
        )

    def train_phase(self) -> Lines:
        lines = self.switch("train") if self.at("mode", "epoch") else []
        lines += ["memory = torch.zeros(3)"] if self.at("state", "memory") else []
        lines += ["running = 0.0"]
        if self.at("accumulate", "dropped"):
            lines += self.zeroing()
        body = self.body()
        if self.shape == "episodes":
            lines += [*self.episode(), *self.stepped_on_episode()]
        elif self.shape == "full_batch":
            lines += ["x, y = x_all, y_all", *self.unpacking(), *body]
        elif self.shape == "phases":
            return self.phases(body)
        elif self.shape in ("step_function", "layers"):
            start = self.unpacking()
            after = [n for n in body if n != "running += loss.item()"]
            carried_out = ["value = loss.item()"]
            call = self.as_function("train_step", [*start, *after, *carried_out], ["value"])
            target = "x, y" if "," in self.target() else "batch"
            inner = [*call, "running += value"]
            self.known |= {"batch"}
            lines += self.plain_loop(target, inner)
        else:
            lines += self.batch_loop([*body, *self.in_batches()])
        n = {"full_batch": "1", "episodes": "1", "windows": "5"}.get(self.shape, "len(train_loader)")
        lines += [f"train_loss = running / {n}"]
        if self.shape in ("pair", "layers"):
            return self.as_function("train_one_epoch", lines, ["train_loss"])
        return lines

    def phases(self, body: Lines) -> Lines:
        """Training and validation in one loop over the names of the phases."""
        marker = next(n for n, line in enumerate(body) if ".backward()" in line)
        ahead = [line for line in body[:marker] if "scheduler" not in line]
        behind = [line for line in body[marker:] if "running" not in line and "scheduler" not in line]
        batch = [*self.unpacking(), *ahead]
        first = next(n for n, line in enumerate(batch) if line.startswith(("out", "with")))
        inner = [*batch[:first], 'with torch.set_grad_enabled(phase == "train"):']
        inner += indented([*batch[first:], 'if phase == "train":', *indented(behind)])
        inner += ["running += loss.item() * y.size(0)"]
        mode = ['if phase == "train":', *indented(self.switch("train")), "else:", *indented(self.switch("eval"))]
        loop = [f"for {self.target()} in loaders[phase]:", *indented(inner)]
        after = ["train_loss = running / len(loaders[phase])", 'print(f"{phase} {train_loss:.6f}")']
        made = ['loaders = {"train": train_loader, "val": val_loader}', 'for phase in ["train", "val"]:']
        return [*made, *indented([*mode, "running = 0.0", *loop, *after])]

    def plain_loop(self, target: str, inner: Lines) -> Lines:
        paired = f"({target})" if "," in target else target
        header = {
            "enumerate": f"for i, {paired} in enumerate(train_loader):",
            "from_one": f"for i, {paired} in enumerate(train_loader, 1):",
            "enumerate_tqdm": f"for i, {paired} in enumerate(tqdm(train_loader)):",
            "tqdm": f"for {target} in tqdm(train_loader):",
        }.get(self.c["batches"], f"for {target} in train_loader:")
        return [header, *indented(inner)]

    def in_batches(self) -> Lines:
        if not self.at("when", "in_batches") or self.at("validation", "none"):
            return []
        return [f"if ({self.number} + 1) % 3 == 0:", *indented([*self.validated(), *self.switch("train")])]

    def episode(self) -> Lines:
        """One episode of a walk, which leaves the loss."""
        return [
            "state = env.reset()",
            "chances, rewards, done = [], [], False",
            "while not done:",
            *indented(
                [
                    f"choice = torch.distributions.Categorical(logits={self.predict('state')})",
                    "action = choice.sample()",
                    "state, reward, done = env.step(action.item())",
                    "chances.append(choice.log_prob(action))",
                    "rewards.append(reward - 0.1)",
                ]
            ),
            "loss = -torch.stack(chances).sum() * sum(rewards)",
        ]

    def stepped_on_episode(self) -> Lines:
        body = [*self.zeroing(), "loss.backward()", *self.clipping(), "optimizer.step()"]
        told = [n for n in self.told() if "len(x)" not in n]
        return [*body, *self.scheduled_per_batch(), *self.remembered(), *told]

    # ---- loops that count steps

    def periodic(self) -> Lines:
        """What happens every few steps of a loop without epochs."""
        lines = ["scheduler.step()"] if self.at("scheduler", "epoch", "milestones", "after_validation") else []
        lines += self.validated() if not self.at("validation", "none") else []
        lines += self.switch("train") if not self.at("validation", "none") else []
        lines += ["train_loss = running / 4", "running = 0.0", *self.epoch_end()]
        return ["if step % 4 == 0:", *indented(lines)]

    def fetching(self) -> Lines:
        """Batches that are drawn by hand."""
        body = ["picked = torch.randint(len(x_all), (8,))", "return x_all[picked], y_all[picked]"]
        own = "" if self.at("entry", "module", "guard") else "x_all, y_all"
        self.definitions.append([f"def get_batch({own}):", *indented(body)])
        return [f"x, y = get_batch({own})", *self.unpacking()]

    def while_steps(self) -> Lines:
        inner = [*self.unpacking(), *self.body(), "step += 1", *self.periodic(), "if step >= 9:", "    break"]
        loop = [f"for {self.target()} in train_loader:", *indented(inner)]
        return self.guarded(["step = 0", "running = 0.0", "while step < 9:", *indented(loop)])

    def while_true(self) -> Lines:
        inner = [*self.fetching(), *self.body(), "step += 1", *self.periodic(), "if step > 8:", "    break"]
        return self.guarded(["step = 0", "running = 0.0", "while True:", *indented(inner)])

    def steps(self) -> Lines:
        inner = [*self.epoch_action(), *self.fetching(), *self.body(), *self.periodic()]
        return self.guarded(["running = 0.0", "for step in range(1, 10):", *indented(inner)])

    def next_batch(self) -> Lines:
        again = ["try:", "    batch = next(batches)", "except StopIteration:"]
        again += ["    batches = iter(train_loader)", "    batch = next(batches)"]
        taken = [] if self.at("batch", "later", "index", "dict") else ["x, y = batch"]
        inner = [*again, *taken, *self.unpacking(), *self.body(), *self.periodic()]
        lines = ["batches = iter(train_loader)", "running = 0.0", "for step in range(1, 10):", *indented(inner)]
        return self.guarded(lines)

    def guarded(self, loop: Lines) -> Lines:
        if self.at("control", "finally"):
            return ["try:", *indented(loop), "finally:", '    print("over")']
        if self.at("control", "interrupt"):
            return ["try:", *indented(loop), "except KeyboardInterrupt:", '    print("interrupted")']
        return loop

    # ---- validation and the end of an epoch

    made = False

    def validated(self) -> Lines:
        """One validation, in place or by a call."""
        lines = self.evaluation(full=self.shape == "full_batch")
        if self.at("validation", "inline"):
            return lines
        if not self.made:
            decorated = ["@torch.no_grad()"] if self.at("gradients", "decorated") else []
            self.made = True
            self.val_call = self.as_function("evaluate", lines, ["val_loss"], decorated)
        return self.val_call

    def epoch_validation(self) -> Lines:
        if self.at("validation", "none") or self.at("when", "before_training", "in_batches"):
            return []
        test = {"every_two": f"{self.time} % 2 == 1", "last": f"{self.time} == {self.setting()} - 1"}
        if self.c["when"] in test:
            return [f"if {test[self.c['when']]}:", *indented(self.validated())]
        return self.validated()

    def has_value(self) -> bool:
        return not self.at("validation", "none") and self.at("when", "each", "twice")

    def epoch_end(self) -> Lines:
        value = "val_loss" if self.has_value() else "train_loss"
        lines = ["scheduler.step(" + value + ")"] if self.at("scheduler", "plateau") else []
        if self.at("scheduler", "by_hand"):
            lines += [f"if last_value is not None and {value} > last_value:"]
            lines += [f"    for group in {self.optimizer_name}.param_groups:", '        group["lr"] /= 2']
            lines += [f"last_value = {value}"]
        if self.at("log", "file"):
            lines += ['with open("log.csv", "a") as file:', f'    file.write(f"{{{self.time}}},{{train_loss}}\\n")']
        if self.at("log", "time", "every_two", "formatted"):
            shown = " validation {val_loss:.5f}" if self.has_value() else ""
            lines += [f'print(f"{self.time} {{{self.time}}}: loss {{train_loss:.5f}}{shown}")']
        if self.at("state", "history"):
            lines += [f'history["value"].append({value})']
        if self.at("state", "last") and self.shape not in (*FUNCTIONS, "episodes", *WITHOUT_EPOCHS):
            lines += ["print(loss.item(), x.shape)"]
        if self.at("control", "stopper"):
            lines += [f"stopper({value})", "if stopper.stop:", '    print("stopped early")', "    break"]
        if self.keeps_best():
            net = self.nets()[0]
            kept = {
                "file": [f'torch.save({net}.state_dict(), "best.pt")'],
                "checkpoint": [
                    f"state_of_all = {{{self.time!r}: {self.time}, 'net': {net}.state_dict()}}",
                    f"state_of_all['rates'] = [g['lr'] for g in {self.optimizer_name}.param_groups]",
                    'torch.save(state_of_all, "checkpoint.pt")',
                ],
                "copy": [f"kept = copy.deepcopy({net}.state_dict())"],
            }.get(self.c["best"], [])
            stop = ["bad = 0"] if self.at("control", "early_stop") else []
            lines += [f"if {value} < best:", *indented([f"best = {value}", *kept, *stop])]
            if self.at("control", "early_stop"):
                lines += [
                    "else:",
                    "    bad += 1",
                    "    if bad >= 1:",
                    '        print("stopped early")',
                    "        break",
                ]
        return lines

    def afterwards(self) -> Lines:
        return {
            "eval": [*self.switch("eval"), "with torch.no_grad():", f"    print({self.predict('x_val')}.sum().item())"],
            "save": [f'torch.save({self.nets()[0]}.state_dict(), "final.pt")'],
            "predict": [f"print({self.predict('x_val')}.argmax(1).tolist())"],
        }.get(self.c["after"], [])

    # ---- functions and classes

    def as_function(self, name: str, body: Lines, results: list[str], decorated: Lines | None = None) -> Lines:
        """Make a function of the body; what comes back is the call, with the results assigned."""
        held = names_in(body)
        used = sorted(v for v in self.known if v in held and v not in results)
        own = {"x", "y", "batch", "i"} if name == "train_one_epoch" or name == "evaluate" else set()
        given = [v for v in used if v not in own]
        carried = sorted(
            v for v in names_stored(body) if v in self.known and v not in {*own, *results, "x", "y", "batch", self.time}
        )
        if "batch" in held and name == "train_step":
            given = ["batch", *[g for g in given if g not in ("batch", "x", "y")]]
        if self.at("access", "globals") and not self.at("entry", "main") and self.shape in FUNCTIONS:
            local = [g for g in given if g in ("x", "y", "batch", self.time)]
            local += ["i"] if "i" in held and name == "train_step" else []
            outer = [f"global {', '.join(carried)}"] if carried else []
            lines = [f"def {name}({', '.join(local)}):", *indented([*outer, *body, f"return {', '.join(results)}"])]
            self.definitions.append([*(decorated or []), *lines])
            return [f"{', '.join(results)} = {name}({', '.join(local)})"]
        back = ", ".join([*results, *carried])
        if "i" in held and name == "train_step":
            given = ["i", *given]
        lines = [f"def {name}({', '.join(given)}):", *indented([*body, f"return {back}"])]
        if name == "train_step" and carried:
            lines = [n.replace("return 0.0", f"return 0.0, {', '.join(carried)}") for n in lines]
        self.definitions.append([*(decorated or []), *lines])
        return [f"{back} = {name}({', '.join(given)})"]

    def in_function(self, run: Lines, setup: Lines) -> Lines:
        """The whole training as a function that gets what it needs."""
        held = names_in(run)
        bound = names_stored(setup)
        given = sorted(v for v in bound if v in held)
        if self.at("access", "globals") and not self.at("entry", "main"):
            rebound = sorted(v for v in names_stored(run) if v in bound)
            given = [g for g in given if g in rebound]
        self.definitions.append([f"def fit({', '.join(given)}):", *indented(run)])
        return [*setup, f"fit({', '.join(given)})"]

    def solver(self, seed: Lines, setup: Lines, made: Lines, states: Lines) -> str:
        """A class whose methods train and evaluate."""
        stored = names_stored([*setup, *made])
        kept = stored | names_stored(states)
        train, evaluate = self.epoch(), []
        text = "\n".join(train)
        if not self.at("validation", "none"):
            evaluate = self.evaluation()
            whole = "\n".join(self.validated()) if self.at("validation", "function") else ""
            text = text.replace(whole, "val_loss = self.evaluate()") if whole else text
        loop = [f"for epoch in range({self.setting()}):", *indented(text.split("\n"))]
        given = sorted(v for v in stored if v in names_in([*loop, *evaluate, *states, *self.states_shown()]))
        self.definitions = [d for d in self.definitions if not d[0].startswith(("def evaluate", "@torch"))]
        start = [*[f"self.{v} = {v}" for v in given], *self.on_self(states, names_stored(states))]
        lines = ["class Solver:", f"    def __init__(self, {', '.join(given)}):", *indented(indented(start)), ""]
        if self.at("validation", "function"):
            decorated = ["@torch.no_grad()"] if self.at("gradients", "decorated") else []
            body = ["def evaluate(self):", *indented([*self.on_self(evaluate, kept), "return val_loss"])]
            lines += [*indented([*decorated, *body]), ""]
        shown = self.on_self([*loop, *self.states_shown()], kept)
        lines += [*indented(["def fit(self):", *indented(shown)]), "", ""]
        calls = [f"solver = Solver({', '.join(given)})", "solver.fit()"]
        return self.whole([*seed, *setup, *made, *calls, *self.afterwards()], lines)

    def on_self(self, lines: Lines, kept: set[str]) -> Lines:
        """The lines with these names as attributes."""
        text = "\n".join(lines)
        for name in sorted(kept):
            text = re.sub(rf"(?<![\w.\"']){name}\b(?!=[^=])(?![\"'])", f"self.{name}", text)
        return text.split("\n") if text else []


SHAPES = Grammar("shapes", DIMENSIONS, assemble, frozenset({"shape", "entry", "optimizer"}), (0.35, 0.55, 0.7, 0.85))
