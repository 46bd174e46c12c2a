"""What training programs of every shape are made of: data, models, optimizers, the batch, the validation.

The parts are written with canonical names; a shape (tests/programs_of_shapes.py) puts them into loops and functions.
"""

from __future__ import annotations

from program_grammar import Choices, Lines, indented

PARTS = {
    "rest": "smaller even dropped",
    "batch": "tuple later index dict moved guarded",
    "batches": "plain enumerate from_one tqdm bar with_bar",
    "model": "sequential norm two frozen tied functional repeated looped recurrent",
    "optimizer": "sgd momentum adam groups rmsprop lbfgs two listed gan critic_more penalty sharp noam attacked two_losses",
    "scheduler": "none epoch after_validation batch plateau warmup sequential epoch_first milestones numbered own_class by_hand",
    "zero": "before between after_step model not_none by_hand once_and_after",
    "clip": "none norm value part groups kept",
    "accumulate": "none every_two or_last odd counted chunks dropped",
    "divided": "yes no",
    "precision": "none autocast switched scaler both narrow cuda either",
    "evaluated": "full lowered partly",
    "loss": "criterion functional regularised helper auxiliary dictionary",
    "gradients": "with decorated inference none",
    "sums": "floats tensors lists same_names",
    "control": "none break_after continue early_stop nan_skip nan_stop finally interrupt raise flag try_step stopper",
    "state": "none ema counter losses history best_loss smooth last memory memory_of_run averaged ema_class",
    "random": "none dataset noise generator mixup python seed gradient_noise",
    "loading": "plain collate sampler subset split weighted",
    "device": "none chosen constant",
    "mode": "epoch before_loop never batch",
    "log": "time batch every_two formatted none file",
}
SIZES = {"even": 40}
ADVERSARIAL = ("gan", "critic_more", "penalty")


_NOAM = """\
class Noam:
    def __init__(self, optimizer, warmup):
        self.optimizer, self.warmup, self.count = optimizer, warmup, 0
        self.param_groups = optimizer.param_groups

    def zero_grad(self):
        self.optimizer.zero_grad()

    def step(self):
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = 0.05 * min(self.count**-0.5, self.count * self.warmup**-1.5)
        self.optimizer.step()
"""
_WARMUP = """\
class Warmup:
    def __init__(self, optimizer, steps):
        self.optimizer, self.steps, self.count = optimizer, steps, 0
        self.base = [group["lr"] for group in optimizer.param_groups]

    def step(self):
        self.count += 1
        for group, base in zip(self.optimizer.param_groups, self.base):
            group["lr"] = base * min(1.0, self.count / self.steps)
"""
_STOPPER = """\
class EarlyStopping:
    def __init__(self, patience=1):
        self.patience, self.bad, self.best, self.stop = patience, 0, None, False

    def __call__(self, value):
        if self.best is None or value < self.best:
            self.best, self.bad = value, 0
        else:
            self.bad += 1
            self.stop = self.bad >= self.patience
"""
_EMA = """\
class EMA:
    def __init__(self, model, decay):
        self.model, self.decay, self.backup = model, decay, {}
        self.shadow = {n: p.data.clone() for n, p in model.named_parameters()}

    def update(self):
        for n, p in self.model.named_parameters():
            self.shadow[n] = self.decay * self.shadow[n] + (1.0 - self.decay) * p.data

    def apply(self):
        for n, p in self.model.named_parameters():
            self.backup[n] = p.data
            p.data = self.shadow[n]

    def restore(self):
        for n, p in self.model.named_parameters():
            p.data = self.backup[n]
"""


class Parts:
    """The parts of one program. ``time`` and ``number`` are the variables that count epochs and batches."""

    time = "epoch"
    number = "i"
    skip = "continue"

    def __init__(self, choices: Choices) -> None:
        self.c = choices

    def at(self, name: str, *options: str) -> bool:
        return self.c[name] in options

    # ---- definitions

    def classes(self) -> Lines:
        """The classes and helpers that the program defines."""
        lines: Lines = []
        if self.at("batch", "dict") or self.at("random", "dataset"):
            noise = " + 0.1 * torch.randn(6)" if self.at("random", "dataset") else ""
            item = '{"x": x, "y": self.y[i]}' if self.at("batch", "dict") else "x, self.y[i]"
            lines += ["class Data(Dataset):", "    def __init__(self, x, y):", "        self.x, self.y = x, y", ""]
            lines += ["    def __len__(self):", "        return len(self.x)", "", "    def __getitem__(self, i):"]
            lines += [f"        x = self.x[i]{noise}", f"        return {item}", "", ""]
        if self.at("model", "repeated", "looped", "recurrent"):
            lines += self.deep_class()
        if self.at("model", "norm", "frozen", "tied", "functional"):
            norm = self.at("model", "norm")
            lines += ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
            lines += ["        self.a = nn.Linear(6, 10)"]
            lines += ["        self.norm = nn.BatchNorm1d(10)"] if norm else []
            lines += ["        self.b = nn.Linear(10, 3)"] if not self.at("model", "tied") else []
            lines += ["        self.drop = nn.Dropout(0.2)"] if not self.at("model", "functional") else []
            lines += ["", "    def forward(self, x):"]
            lines += [f"        h = torch.relu({'self.norm(self.a(x))' if norm else 'self.a(x)'})"]
            dropped = "F.dropout(h, 0.2, self.training)" if self.at("model", "functional") else "self.drop(h)"
            lines += [f"        h = {dropped}"]
            last = "F.linear(h, self.a.weight.t())[:, :3]" if self.at("model", "tied") else "self.b(h)"
            lines += [f"        return {last}", "", ""]
        if self.at("loading", "collate"):
            lines += ["def collate(rows):", "    inputs, labels = zip(*rows)"]
            lines += ["    return torch.stack(inputs), torch.stack(labels)", "", ""]
        for name, option, text in (
            ("optimizer", "noam", _NOAM),
            ("scheduler", "own_class", _WARMUP),
            ("control", "stopper", _STOPPER),
            ("state", "ema_class", _EMA),
        ):
            lines += [*text.splitlines(), "", ""] if self.at(name, option) else []
        if self.at("loss", "helper"):
            lines += [
                "def compute_loss(out, y):",
                "    return F.cross_entropy(out, y) + 0.01 * out.pow(2).mean()",
                "",
                "",
            ]
        return lines

    # ---- before the loop

    def deep_class(self) -> Lines:
        """A network that runs several layers in a loop, the same one again, or step by step."""
        layers = {
            "looped": ["self.layers = nn.ModuleList([nn.Linear(10, 10) for _ in range(3)])"],
            "recurrent": ["self.cell = nn.GRUCell(6, 10)"],
        }.get(self.c["model"], ["self.layer = nn.Linear(10, 10)"])
        runs = {
            "looped": ["h = self.a(x)", "for layer in self.layers:", "    h = torch.relu(layer(h))"],
            "recurrent": ["h = self.a(x)", "for _ in range(2):", "    h = self.cell(x, h)"],
        }.get(self.c["model"], ["h = self.a(x)", "h = torch.relu(self.layer(h))", "h = self.layer(h) + h"])
        lines = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
        lines += [f"        {line}" for line in ["self.a = nn.Linear(6, 10)", *layers]]
        lines += [
            "        self.b = nn.Linear(10, 3)",
            "        self.drop = nn.Dropout(0.2)",
            "",
            "    def forward(self, x):",
        ]
        return [*lines, *[f"        {line}" for line in runs], "        return self.b(self.drop(h))", "", ""]

    def data(self) -> Lines:
        """The tensors."""
        size = SIZES.get(self.c["rest"], 37)
        return [
            f"x_all, x_val = torch.randn({size}, 6), torch.randn(17, 6)",
            "y_all, y_val = x_all[:, :3].argmax(1), x_val[:, :3].argmax(1)",
        ]

    def loaders(self, x: str = "x_all", y: str = "y_all") -> Lines:
        """The loaders over the tensors of these names."""
        made = "Data" if self.at("batch", "dict") or self.at("random", "dataset") else "TensorDataset"
        more = ", drop_last=True" if self.at("rest", "dropped") else ""
        more += ", generator=torch.Generator().manual_seed(5)" if self.at("random", "generator") else ""
        data = f"{made}({x}, {y})"
        before = {
            "subset": [f"chosen = torch.utils.data.Subset({data}, range(len({x}) - 3))"],
            "split": [
                f"chosen, _ = torch.utils.data.random_split({data}, [len({x}) - 5, 5])",
            ],
            "weighted": [
                f"weights_of_rows = 1.0 + ({y} == 0).double()",
                f"sampler = torch.utils.data.WeightedRandomSampler(weights_of_rows, len({x}))",
            ],
            "sampler": [f"sampler = torch.utils.data.SubsetRandomSampler(range(len({x})))"],
        }.get(self.c["loading"], [])
        if self.at("loading", "subset", "split"):
            data = "chosen"
        order = "sampler=sampler" if self.at("loading", "sampler", "weighted") else "shuffle=True"
        if self.at("loading", "collate") and not self.at("batch", "dict"):
            more += ", collate_fn=collate"
        return [
            *before,
            f"train_loader = DataLoader({data}, batch_size=8, {order}{more})",
            f"val_loader = DataLoader({made}(x_val, y_val), batch_size=6)",
        ]

    def device(self) -> Lines:
        if self.at("device", "chosen"):
            return ['device = torch.device("cuda" if torch.cuda.is_available() else "cpu")']
        return ['device = "cpu"'] if self.at("device", "constant") or self.moves() else []

    def moves(self) -> bool:
        """Whether batches go to a device."""
        return self.at("batch", "moved", "guarded") or not self.at("device", "none")

    def models(self) -> Lines:
        to = ".to(device)" if self.device() else ""
        if self.at("optimizer", *ADVERSARIAL):
            return [
                "generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6))" + to,
                "critic = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(8, 1))" + to,
            ]
        if self.at("model", "two"):
            return [
                "encoder = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.2))" + to,
                "head = nn.Linear(10, 3)" + to,
            ]
        if self.at("model", "sequential"):
            return ["model = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Dropout(0.2), nn.Linear(10, 3))" + to]
        frozen = ["for p in model.a.parameters():", "    p.requires_grad = False"] if self.at("model", "frozen") else []
        return ["model = Net()" + to, *frozen]

    def nets(self) -> list[str]:
        """The names of the models."""
        if self.at("optimizer", *ADVERSARIAL):
            return ["generator", "critic"]
        return ["encoder", "head"] if self.at("model", "two") else ["model"]

    def parameters(self) -> str:
        if self.at("optimizer", *ADVERSARIAL):
            return "generator.parameters()"
        if self.at("model", "two"):
            return "list(encoder.parameters()) + list(head.parameters())"
        return "model.parameters()"

    def predict(self, x: str = "x") -> str:
        return f"head(encoder({x}))" if self.at("model", "two") else f"model({x})"

    @property
    def optimizer_name(self) -> str:
        return "optimizer_g" if self.at("optimizer", *ADVERSARIAL) else "optimizer"

    def optimizers(self) -> Lines:
        given = self.parameters()
        if self.at("model", "frozen"):
            given = "filter(lambda p: p.requires_grad, model.parameters())"
        match self.c["optimizer"]:
            case "momentum":
                return [f"optimizer = torch.optim.SGD({given}, lr=0.05, momentum=0.9, weight_decay=1e-3)"]
            case "adam":
                return [f"optimizer = torch.optim.Adam({given}, lr=0.02)"]
            case "rmsprop":
                return [f"optimizer = torch.optim.RMSprop({given}, lr=0.005)"]
            case "groups":
                both = '[{"params": weights, "weight_decay": 0.1}, {"params": biases, "weight_decay": 0.0}]'
                return [
                    f"weights = [p for p in {self.parameters()} if p.dim() > 1]",
                    f"biases = [p for p in {self.parameters()} if p.dim() <= 1]",
                    f"optimizer = torch.optim.AdamW({both}, lr=0.01)",
                ]
            case "lbfgs":
                return [f"optimizer = torch.optim.LBFGS({given}, lr=0.1, max_iter=3)"]
            case "two" | "listed":
                return [
                    f"weights = [p for p in {self.parameters()} if p.dim() > 1]",
                    f"biases = [p for p in {self.parameters()} if p.dim() <= 1]",
                    "optimizer = torch.optim.SGD(weights, lr=0.1)",
                    "optimizer_bias = torch.optim.Adam(biases, lr=0.01)",
                    *(["both = [optimizer, optimizer_bias]"] if self.at("optimizer", "listed") else []),
                ]
            case "noam":
                return [f"optimizer = Noam(torch.optim.Adam({given}, lr=0.0, betas=(0.9, 0.98)), 4)"]
            case "gan" | "critic_more" | "penalty":
                return [
                    "optimizer_g = torch.optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.999))",
                    "optimizer_d = torch.optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.999))",
                ]
        return [f"optimizer = torch.optim.SGD({given}, lr=0.1)"]

    def schedulers(self) -> Lines:
        name, place = self.optimizer_name, "torch.optim.lr_scheduler"
        match self.c["scheduler"]:
            case "none" | "warmup" | "by_hand":
                return []
            case "own_class":
                return [f"scheduler = Warmup({name}, 6)"]
            case "plateau":
                return [f"scheduler = {place}.ReduceLROnPlateau({name}, patience=0, factor=0.5)"]
            case "batch":
                return [f"scheduler = {place}.LambdaLR({name}, lambda n: 1.0 / (1.0 + 0.1 * n))"]
            case "milestones":
                return [f"scheduler = {place}.MultiStepLR({name}, milestones=[1, 2], gamma=0.3)"]
            case "sequential":
                return [
                    f"warm = {place}.LinearLR({name}, start_factor=0.1, total_iters=3)",
                    f"cosine = {place}.CosineAnnealingLR({name}, T_max=10)",
                    f"scheduler = {place}.SequentialLR({name}, schedulers=[warm, cosine], milestones=[3])",
                ]
        return [f"scheduler = {place}.StepLR({name}, step_size=1, gamma=0.5)"]

    def scaler(self) -> Lines:
        lines = ["use_amp = True"] if self.at("precision", "switched", "either") else []
        if self.at("precision", "cuda"):
            return ["scaler = torch.cuda.amp.GradScaler()"]
        if self.at("precision", "either"):
            return [*lines, 'scaler = torch.amp.GradScaler("cuda", enabled=use_amp)']
        return lines + (['scaler = torch.amp.GradScaler("cpu", enabled=False)'] if self.scaled() else [])

    def scaled(self) -> bool:
        return self.at("precision", "scaler", "both", "cuda", "either")

    def states(self) -> Lines:
        """What lives from the start of the training to its end."""
        lines = {
            "ema": [f"ema = {{k: v.detach().clone() for k, v in {self.nets()[0]}.state_dict().items()}}"],
            "counter": ["seen = 0"],
            "losses": ["losses = []"],
            "history": ['history = {"loss": [], "value": []}'],
            "best_loss": ['lowest = float("inf")'],
            "smooth": ["smooth = None"],
            "ema_class": [f"ema = EMA({self.nets()[0]}, 0.8)"],
            "averaged": [f"averaged = torch.optim.swa_utils.AveragedModel({self.nets()[0]})"],
            "memory_of_run": ["memory = torch.zeros(3)"],
        }.get(self.c["state"], [])
        lines = list(lines)
        lines += ["micro = 0"] if self.at("accumulate", "counted") else []
        lines += ['best = float("inf")'] if self.keeps_best() else []
        lines += ["kept = None"] if self.at("best", "copy") else []
        lines += ["bad = 0"] if self.at("control", "early_stop") else []
        lines += ["stopper = EarlyStopping()"] if self.at("control", "stopper") else []
        lines += ["last_value = None"] if self.at("scheduler", "by_hand") else []
        lines += ["done, count = False, 0"] if self.at("control", "flag") else []
        lines += ["step_count = 0"] if self.at("scheduler", "warmup") else []
        return lines

    def keeps_best(self) -> bool:
        return not self.at("best", "none") or self.at("control", "early_stop")

    def states_shown(self) -> Lines:
        """The end of the training tells what was kept."""
        lines = {
            "ema": ["print(sum(v.double().sum().item() for v in ema.values()))"],
            "counter": ["print(seen)"],
            "losses": ["print(len(losses), sum(losses))"],
            "history": ["print(history)"],
            "best_loss": ["print(lowest)"],
            "smooth": ["print(smooth)"],
            "ema_class": ["print(sum(v.double().sum().item() for v in ema.shadow.values()))"],
            "averaged": ["print(sum(p.double().sum().item() for p in averaged.parameters()))"],
            "memory_of_run": ["print(memory.sum().item())"],
        }.get(self.c["state"], [])
        lines = list(lines)
        lines += ["print(best)"] if self.keeps_best() else []
        if self.at("best", "copy"):
            lines += ["if kept is not None:", f"    {self.nets()[0]}.load_state_dict(kept)"]
        return lines

    def switch(self, mode: str) -> Lines:
        return [f"{net}.{mode}()" for net in self.nets()]

    # ---- the batch

    def unpacking(self, x: str = "x", y: str = "y") -> Lines:
        """From ``batch`` or the pair to x and y on the device."""
        lines = {
            "later": [f"{x}, {y} = batch"],
            "index": [f"{x} = batch[0]", f"{y} = batch[1]"],
            "dict": [f'{x}, {y} = batch["x"], batch["y"]'],
        }.get(self.c["batch"], [])
        if self.at("batch", "guarded"):
            return ["if torch.cuda.is_available():", f"    {x}, {y} = {x}.cuda(), {y}.cuda()"]
        if not self.moves():
            return lines
        return [*lines, f"{x}, {y} = {x}.to(device), {y}.to(device)"]

    def target(self, x: str = "x", y: str = "y") -> str:
        return "batch" if self.at("batch", "later", "index", "dict") else f"{x}, {y}"

    def body(self) -> Lines:
        """What is done with x and y."""
        lines = self.switch("train") if self.at("mode", "batch") else []
        lines += {
            "noise": ["x = x + 0.1 * torch.randn_like(x)"],
            "mixup": [
                "weight = np.random.beta(0.4, 0.4)",
                "order = torch.randperm(x.size(0))",
                "x = weight * x + (1 - weight) * x[order]",
            ],
            "python": ["if random.random() < 0.5:", "    x = x.flip(0)", "    y = y.flip(0)"],
        }.get(self.c["random"], [])
        if self.at("control", "continue"):
            lines += ["if y.sum().item() % 5 == 0:", f"    {self.skip}"]
        if self.at("scheduler", "warmup"):
            lines += ["step_count += 1", f"for group in {self.optimizer_name}.param_groups:"]
            lines += ['    group["lr"] = 0.1 * min(1.0, step_count / 6)']
        if self.at("state", "memory", "memory_of_run"):
            lines += ["memory = memory.detach()"]
        match self.c["optimizer"]:
            case "lbfgs":
                lines += self.closure()
            case "gan" | "critic_more" | "penalty":
                lines += self.adversarial()
            case "attacked":
                lines += self.attacked()
            case "two_losses":
                lines += self.two_losses()
            case "sharp":
                lines += self.sharpness_aware()
            case _:
                steps = self.descent()
                if self.at("control", "try_step"):
                    failed = ["except RuntimeError as error:", "    print(error)", f"    {self.skip}"]
                    steps = ["try:", *indented(steps), *failed]
                lines += steps
        return [*lines, *self.scheduled_per_batch(), *self.remembered(), *self.told()]

    def guard(self) -> Lines:
        if self.at("control", "nan_skip"):
            return ["if not torch.isfinite(loss):", '    print("skipped")', f"    {self.skip}"]
        if self.at("control", "nan_stop", "raise"):
            left = 'raise ValueError("the loss is not finite")' if self.at("control", "raise") else "break"
            return ["if torch.isnan(loss):", f"    {left}"]
        return []

    def loss_lines(self, x: str = "x", y: str = "y") -> Lines:
        memory = " + memory" if self.at("state", "memory", "memory_of_run") else ""
        out = f"{self.predict(x)}{memory}"
        return {
            "functional": [f"out = {out}", f"loss = F.cross_entropy(out, {y})"],
            "regularised": [
                f"out = {out}",
                f"loss = criterion(out, {y})",
                f"for p in {self.parameters()}:",
                "    loss = loss + 0.001 * p.abs().sum()",
            ],
            "helper": [f"out = {out}", f"loss = compute_loss(out, {y})"],
            "dictionary": [
                f"out = {out}",
                f'parts = {{"main": criterion(out, {y}), "size": 0.01 * out.pow(2).mean()}}',
                "loss = sum(parts.values())",
            ],
            "auxiliary": [
                f"out = {out}",
                f"main_loss = criterion(out, {y})",
                "penalty = out.pow(2).mean()",
                "loss = main_loss + 0.1 * penalty",
            ],
        }.get(self.c["loss"], [f"out = {out}", f"loss = criterion(out, {y})"])

    def forward(self, x: str = "x", y: str = "y") -> Lines:
        lines = self.loss_lines(x, y)
        if self.at("precision", "narrow"):
            return [f"{self.autocast()}:", *indented(lines[:1]), *lines[1:]]
        return [f"{self.autocast()}:", *indented(lines)] if self.autocast() else lines

    def autocast(self) -> str:
        """The head of the `with` around a forward pass in lower precision."""
        return {
            "autocast": 'with torch.autocast("cpu", dtype=torch.bfloat16)',
            "both": 'with torch.autocast("cpu", dtype=torch.bfloat16)',
            "narrow": 'with torch.autocast("cpu", dtype=torch.bfloat16)',
            "switched": 'with torch.autocast("cpu", dtype=torch.bfloat16, enabled=use_amp)',
            "cuda": "with torch.cuda.amp.autocast()",
            "either": 'with torch.autocast("cuda" if torch.cuda.is_available() else "cpu", enabled=use_amp)',
        }.get(self.c["precision"], "")

    def zero(self) -> str:
        if self.at("zero", "model") and self.nets() == ["model"]:
            return "model.zero_grad()"
        return "optimizer.zero_grad(set_to_none=False)" if self.at("zero", "not_none") else "optimizer.zero_grad()"

    def zeroing(self) -> Lines:
        if self.at("zero", "by_hand"):
            return [f"for p in {self.parameters()}:", "    p.grad = None"]
        other = (
            ["optimizer_bias.zero_grad()"]
            if self.at("optimizer", "two", "listed") and "model." not in self.zero()
            else []
        )
        return [self.zero(), *other]

    def clipping(self) -> Lines:
        name, given = self.optimizer_name, self.parameters()
        lines = {
            "norm": [f"torch.nn.utils.clip_grad_norm_({given}, 0.5)"],
            "kept": [f"norm = torch.nn.utils.clip_grad_norm_({given}, max_norm=0.5)"],
            "value": [f"nn.utils.clip_grad_value_({given}, 0.05)"],
            "part": [f"nn.utils.clip_grad_norm_(list({given})[:2], 0.2)"],
            "groups": [
                f"for group in {name}.param_groups:",
                '    nn.utils.clip_grad_norm_(group["params"], 0.3)',
            ],
        }.get(self.c["clip"], [])
        if lines and self.scaled():
            return [f"scaler.unscale_({name})", *lines]
        return list(lines)

    def backward(self, loss: str = "loss") -> str:
        return f"scaler.scale({loss}).backward()" if self.scaled() else f"{loss}.backward()"

    def stepping(self) -> Lines:
        """Clipping and the steps."""
        names = ["optimizer", "optimizer_bias"] if self.at("optimizer", "two", "listed") else ["optimizer"]
        steps = [f"scaler.step({n})" if self.scaled() else f"{n}.step()" for n in names]
        if self.at("optimizer", "listed"):
            one = "scaler.step(one)" if self.scaled() else "one.step()"
            steps = ["for one in both:", f"    {one}"]
        noise = []
        if self.at("random", "gradient_noise") and not self.scaled():
            noise = [f"for p in {self.parameters()}:", "    if p.grad is not None:"]
            noise += ["        p.grad.add_(0.01 * torch.randn_like(p.grad))"]
        return [*noise, *self.clipping(), *steps, *(["scaler.update()"] if self.scaled() else [])]

    def descent(self) -> Lines:
        """Forward, backward, step."""
        if not self.at("accumulate", "none"):
            return self.accumulated()
        zero = self.zeroing()
        after = self.at("zero", "after_step", "once_and_after")
        lines = [] if after or self.at("zero", "between") else zero
        lines = [*lines, *self.forward(), *self.guard()]
        lines += zero if self.at("zero", "between") else []
        return [*lines, self.backward(), *self.stepping(), *(zero if after else [])]

    def accumulated(self) -> Lines:
        zero = self.zeroing()
        if self.at("accumulate", "chunks"):
            divided = ["    loss = loss / 2"] if self.at("divided", "yes") else []
            parts = "for part, labels in zip(x.chunk(2), y.chunk(2)):"
            inner = [*indented(self.forward("part", "labels")), *divided, f"    {self.backward()}"]
            return [*zero, parts, *inner, *self.stepping()]
        number = self.number
        test = {
            "or_last": f"({number} + 1) % 2 == 0 or {number} + 1 == len(train_loader)",
            "odd": f"{number} % 2 == 1",
            "counted": "micro == 2",
        }.get(self.c["accumulate"], f"({number} + 1) % 2 == 0")
        loss = "(loss / 2)" if self.at("divided", "yes") else "loss"
        backward = f"scaler.scale({loss}).backward()" if self.scaled() else f"{loss}.backward()"
        lines = [*self.forward(), *self.guard(), backward]
        reset = []
        if self.at("accumulate", "counted"):
            lines, reset = [*lines, "micro += 1"], ["micro = 0"]
        return [*lines, f"if {test}:", *indented([*self.stepping(), *zero, *reset])]

    def closure(self) -> Lines:
        inner = ["optimizer.zero_grad()", *self.loss_lines(), "loss.backward()", *self.clipping(), "return loss"]
        return ["def closure():", *indented(inner), "", "loss = optimizer.step(closure)"]

    def adversarial(self) -> Lines:
        extra: Lines = []
        if self.at("optimizer", "penalty"):
            extra = [
                "mixed = (0.5 * x + 0.5 * fake.detach()).requires_grad_(True)",
                "slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]",
                "loss_d = loss_d + 0.1 * ((slope.norm(2, dim=1) - 1) ** 2).mean()",
            ]
        real = "F.binary_cross_entropy_with_logits(critic({0}), torch.{1}(x.size(0), 1))".format
        return [
            "noise = torch.randn(x.size(0), 4)",
            "fake = generator(noise)",
            "optimizer_d.zero_grad()",
            f"loss_d = {real('x', 'ones')} + {real('fake.detach()', 'zeros')}",
            *extra,
            "loss_d.backward()",
            "optimizer_d.step()",
            *self.generator_step(f"loss = {real('fake', 'ones')}"),
        ]

    def generator_step(self, loss: str) -> Lines:
        step = ["optimizer_g.zero_grad()", loss, "loss.backward()", *self.clipping(), "optimizer_g.step()"]
        if self.at("optimizer", "critic_more"):
            return ["loss = loss_d", f"if {self.number} % 2 == 0:", *indented(step)]
        return step

    def attacked(self) -> Lines:
        """Training on examples that the gradient of the inputs has made harder."""
        return [
            "x.requires_grad_(True)",
            f"F.cross_entropy({self.predict()}, y).backward()",
            "x = (x + 0.1 * x.grad.sign()).detach()",
            "optimizer.zero_grad()",
            *self.forward(),
            *self.guard(),
            "loss.backward()",
            *self.clipping(),
            "optimizer.step()",
        ]

    def two_losses(self) -> Lines:
        """Two gradients of one graph."""
        return [
            *self.zeroing(),
            *self.forward(),
            *self.guard(),
            "loss.backward(retain_graph=True)",
            "spread = 0.1 * out.float().pow(2).mean()",
            "spread.backward()",
            *self.clipping(),
            "optimizer.step()",
        ]

    def sharpness_aware(self) -> Lines:
        given = self.parameters()
        return [
            "optimizer.zero_grad()",
            *self.forward(),
            *self.guard(),
            "loss.backward()",
            "moved = []",
            "with torch.no_grad():",
            f"    for p in {given}:",
            "        change = 0.05 * p.grad if p.grad is not None else torch.zeros_like(p)",
            "        p.add_(change)",
            "        moved.append(change)",
            "optimizer.zero_grad()",
            f"F.cross_entropy({self.predict()}, y).backward()",
            "with torch.no_grad():",
            f"    for p, change in zip({given}, moved):",
            "        p.sub_(change)",
            *self.clipping(),
            "optimizer.step()",
        ]

    def scheduled_per_batch(self) -> Lines:
        return ["scheduler.step()"] if self.at("scheduler", "batch", "sequential", "own_class") else []

    def remembered(self) -> Lines:
        """State that follows every step."""
        net = self.nets()[0]
        has_out = not self.at("optimizer", *ADVERSARIAL, "lbfgs")
        memory = ["memory = 0.5 * memory + 0.1 * out.mean(0)"] if has_out else ["memory = memory * 0.5"]
        lines = {
            "ema": [
                f"for name, value in {net}.state_dict().items():",
                "    if value.dtype.is_floating_point:",
                "        ema[name].mul_(0.9).add_(value, alpha=0.1)",
            ],
            "counter": ["seen += x.size(0)"],
            "ema_class": ["ema.update()"],
            "averaged": [f"averaged.update_parameters({net})"],
            "losses": ["losses.append(loss.item())"],
            "history": ['history["loss"].append(loss.item())'],
            "best_loss": ["if loss.item() < lowest:", "    lowest = loss.item()"],
            "smooth": ["smooth = loss.item() if smooth is None else 0.9 * smooth + 0.1 * loss.item()"],
            "memory": memory,
            "memory_of_run": memory,
        }.get(self.c["state"], [])
        return ["running += loss.item()", *lines]

    def told(self) -> Lines:
        """What a batch prints, and how it ends the loop."""
        lines = {
            "batch": ["print(loss.item())"],
            "every_two": [
                f"if {self.number} % 2 == 0:",
                f'    print(f"batch {{{self.number}}} loss {{loss.item():.4f}}")',
            ],
            "formatted": [f'print("loss %.5f rate %.4f" % (loss.item(), {self.optimizer_name}.param_groups[0]["lr"]))'],
        }.get(self.c["log"], [])
        lines = list(lines)
        if self.at("batches", "bar", "with_bar") and self.bar():
            lines += ['bar.set_postfix(loss=f"{loss.item():.3f}")']
        shown = self.at("accumulate", "none", "chunks") and not self.at("optimizer", "lbfgs", "critic_more")
        if self.at("clip", "kept") and shown:
            lines += ["print(norm.item())"]
        if self.at("control", "flag"):
            lines += ["count += 1", "if count >= 7:", "    done = True", "    break"]
        if self.at("control", "break_after"):
            lines += [f"if {self.number} >= 2:", "    break"]
        return lines

    def bar(self) -> bool:
        """Whether there is a progress bar with a name."""
        return False

    # ---- validation

    def evaluation(self, full: bool = False) -> Lines:
        """One validation that leaves ``val_loss``."""
        if self.at("optimizer", *ADVERSARIAL):
            return [
                *self.switch("eval"),
                "with torch.no_grad():",
                "    val_loss = critic(generator(torch.zeros(3, 4))).mean().item()",
                *self.switch("train"),
            ]
        same = self.at("sums", "same_names")
        x, y, out, loss = ("x", "y", "out", "loss") if same else ("inputs", "labels", "logits", "batch_loss")
        start = {"lists": ["values, right = [], []"]}.get(self.c["sums"], ["total, right = 0.0, 0"])
        inner = [f"{out} = {self.predict(x)}", f"{loss} = F.cross_entropy({out}, {y})"]
        inner += {
            "lists": [f"values.append({loss}.item())", f"right.extend(({out}.argmax(1) == {y}).tolist())"],
            "tensors": [f"total += {loss} * len({y})", f"right += ({out}.argmax(1) == {y}).sum()"],
        }.get(
            self.c["sums"],
            [f"total += {loss}.item() * {y}.size(0)", f"right += ({out}.argmax(dim=1) == {y}).sum().item()"],
        )
        if self.at("evaluated", "lowered") and self.autocast():
            inner = [f"{self.autocast()}:", *indented(inner)]
        if self.at("evaluated", "partly") and self.autocast():
            inner = [
                f"{self.autocast()}:",
                *indented(inner[:1]),
                f"{loss} = F.cross_entropy({out}.float(), {y})",
                *inner[2:],
            ]
        if full:
            loop = [f"{x}, {y} = x_val, y_val", *inner]
        else:
            loop = [f"for {self.target(x, y)} in val_loader:", *indented([*self.unpacking(x, y), *inner])]
        wrapped = {
            "with": ["with torch.no_grad():", *indented(loop)],
            "inference": ["with torch.inference_mode():", *indented(loop)],
        }.get(self.c["gradients"], loop)
        end = {
            "lists": ["val_loss = sum(values) / len(values)", 'print("accuracy", sum(right) / len(right))'],
            "tensors": ["val_loss = float(total) / 17", 'print("accuracy", float(right) / 17)'],
        }.get(
            self.c["sums"], ["val_loss = total / 17", 'print(f"validation {val_loss:.6f} accuracy {right / 17:.3f}")']
        )
        apply, restore = (["ema.apply()"], ["ema.restore()"]) if self.at("state", "ema_class") else ([], [])
        return [*self.switch("eval"), *apply, *start, *wrapped, *restore, *end]
