"""Mistakes that people make when they port a training loop to Lightning by hand, and the cause that `verify` must name.

Each is an edit of a raw script, of its hand-made port, or of both, which were the same training before.
"""

from __future__ import annotations

from dataclasses import dataclass

DATA = """\
import copy
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
inputs = torch.randn(150, 5)
labels = (inputs.sum(1) > 0).long() + (inputs[:, 0] > 1).long()
train_set, held_out = TensorDataset(inputs[:110], labels[:110]), TensorDataset(inputs[110:], labels[110:])
train_loader = DataLoader(train_set, batch_size=20, shuffle=True)
val_loader = DataLoader(held_out, batch_size=20)
net = nn.Sequential(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 3))
loss_fn = nn.CrossEntropyLoss()
"""

RAW = (
    DATA
    + """\
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(3):
    net.train()
    for batch_idx, (x, y) in enumerate(train_loader):
        optimizer.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        optimizer.step()
    net.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in val_loader:
            total += loss_fn(net(x), y).item()
torch.save(net.state_dict(), "net.pt")
"""
)

PORT = (
    "import lightning as L\n"
    + DATA
    + """\
class Classifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = net
        self.loss_fn = loss_fn

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.loss_fn(self.net(x), y)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val_loss", self.loss_fn(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)


trainer = L.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
                    enable_model_summary=False, num_sanity_val_steps=0)
trainer.fit(Classifier(), train_loader, val_loader)
torch.save(net.state_dict(), "net.pt")
"""
)

Edit = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """``raw`` and ``port`` are edits of the pair that keep it the same training, ``mistake`` the edit of the port that does not."""

    name: str
    cause: str
    mistake: tuple[Edit, ...]
    raw: tuple[Edit, ...] = ()
    port: tuple[Edit, ...] = ()


def edited(text: str, edits: tuple[Edit, ...]) -> str:
    """The text with every edit made; each place must be there."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


_SGD = "torch.optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)"
_STEP = "        optimizer.step()\n"
_PLAIN_STEP = "        optimizer.zero_grad()\n        loss = loss_fn(net(x), y)\n        loss.backward()\n        optimizer.step()\n"
_EPOCH_END = "            total += loss_fn(net(x), y).item()\n"


def _schedule(made: str, step: str, told: str) -> tuple[tuple[Edit, ...], tuple[Edit, ...]]:
    raw: tuple[Edit, ...] = (
        ("for epoch in range(3):", f"scheduler = torch.optim.lr_scheduler.{made}\nfor epoch in range(3):"),
    )
    if step == "batch":
        raw += ((_STEP, _STEP + "        scheduler.step()\n"),)
    else:
        raw += ((_EPOCH_END, _EPOCH_END + "    scheduler.step()\n"),)
    port = (
        (
            f"return {_SGD}",
            f"optimizer = {_SGD}\n        scheduler = torch.optim.lr_scheduler.{made}\n"
            f'        return {{"optimizer": optimizer, "lr_scheduler": {{"scheduler": scheduler, {told}}}}}',
        ),
    )
    return raw, port


_STEPLR = _schedule("StepLR(optimizer, 1, 0.5)", "epoch", '"interval": "epoch"')
_ONE_CYCLE = _schedule(
    "OneCycleLR(optimizer, 0.3, epochs=3, steps_per_epoch=len(train_loader))", "batch", '"interval": "step"'
)
_ACCUMULATED = (
    (
        (
            _PLAIN_STEP,
            "        loss = loss_fn(net(x), y) / 3\n        loss.backward()\n"
            "        if (batch_idx + 1) % 3 == 0 or batch_idx + 1 == len(train_loader):\n"
            "            optimizer.step()\n            optimizer.zero_grad()\n",
        ),
    ),
    (("max_epochs=3,", "max_epochs=3, accumulate_grad_batches=3,"),),
)
_PLATEAU = (
    (
        (
            "for epoch in range(3):",
            "plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)\nfor epoch in range(6):",
        ),
        (_EPOCH_END, _EPOCH_END + "    plateau.step(total)\n"),
    ),
    (
        ("max_epochs=3", "max_epochs=6"),
        (
            f"return {_SGD}",
            f"optimizer = {_SGD}\n        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)\n"
            '        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": plateau, "monitor": "total"}}',
        ),
        (
            'self.log("val_loss", self.loss_fn(self.net(x), y))',
            'self.log("total", self.loss_fn(self.net(x), y).double(), reduce_fx="sum")',
        ),
    ),
)
_CLIPPED = (
    ((_STEP, "        nn.utils.clip_grad_norm_(net.parameters(), 0.3)\n" + _STEP),),
    (("max_epochs=3,", "max_epochs=3, gradient_clip_val=0.3,"),),
)
_AUTOCAST = (
    (
        (
            "        loss = loss_fn(net(x), y)\n",
            '        with torch.autocast("cpu", torch.bfloat16):\n            loss = loss_fn(net(x), y)\n',
        ),
    ),
    (
        (
            "        loss = self.loss_fn(self.net(x), y)\n",
            '        with torch.autocast("cpu", torch.bfloat16):\n            loss = self.loss_fn(self.net(x), y)\n',
        ),
    ),
)
_AVERAGE = (
    (
        *_ACCUMULATED[0],
        ("for epoch in range(3):", "average = copy.deepcopy(net)\nfor epoch in range(3):"),
        (
            "            optimizer.zero_grad()\n",
            "            optimizer.zero_grad()\n            with torch.no_grad():\n"
            "                for a, b in zip(average.parameters(), net.parameters()):\n                    a.lerp_(b, 0.1)\n",
        ),
        ("torch.save(net", "torch.save(average"),
    ),
    (
        *_ACCUMULATED[1],
        ("class Classifier", "average = copy.deepcopy(net)\n\n\nclass Classifier"),
        (
            "    def validation_step",
            "    def on_train_batch_end(self, outputs, batch, batch_idx):\n        if (batch_idx + 1) % 3 == 0 or batch_idx + 1 == 6:\n"
            "            with torch.no_grad():\n                for a, b in zip(average.parameters(), net.parameters()):\n"
            "                    a.lerp_(b, 0.1)\n\n    def validation_step",
        ),
        ("torch.save(net", "torch.save(average"),
    ),
)
_TEACHER = (
    (
        ("loss_fn = nn.CrossEntropyLoss()\n", "loss_fn = nn.CrossEntropyLoss()\nteacher = copy.deepcopy(net).eval()\n"),
        ("loss_fn(net(x), y)\n        loss.backward", "loss_fn(net(x), teacher(x).argmax(1))\n        loss.backward"),
    ),
    (
        ("loss_fn = nn.CrossEntropyLoss()\n", "loss_fn = nn.CrossEntropyLoss()\nteacher = copy.deepcopy(net).eval()\n"),
        ("loss_fn(self.net(x), y)\n        return", "loss_fn(self.net(x), self.teacher(x).argmax(1))\n        return"),
        ("self.loss_fn = loss_fn\n", "self.loss_fn = loss_fn\n        self.teacher = teacher\n"),
    ),
)
_GAN_RAW = (
    DATA
    + """\
disc = nn.Linear(3, 1)
opt_net, opt_disc = torch.optim.Adam(net.parameters(), 1e-2), torch.optim.Adam(disc.parameters(), 1e-2)
count = 0
for epoch in range(3):
    for x, y in train_loader:
        made = net(x)
        loss_disc = F.softplus(disc(made.detach())).mean() + F.softplus(-disc(F.one_hot(y, 3).float())).mean()
        opt_disc.zero_grad()
        loss_disc.backward()
        opt_disc.step()
        if count % 3 == 0:
            loss_net = F.softplus(-disc(made)).mean()
            opt_net.zero_grad()
            loss_net.backward()
            opt_net.step()
        count += 1
"""
)
_GAN_PORT = (
    "import lightning as L\n"
    + DATA
    + """\
disc = nn.Linear(3, 1)


class Gan(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.disc, self.count = net, disc, 0
        self.automatic_optimization = False

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt_net, opt_disc = self.optimizers()
        made = self.net(x)
        loss_disc = F.softplus(self.disc(made.detach())).mean() + F.softplus(-self.disc(F.one_hot(y, 3).float())).mean()
        opt_disc.zero_grad()
        self.manual_backward(loss_disc)
        opt_disc.step()
        if self.count % 3 == 0:
            loss_net = F.softplus(-self.disc(made)).mean()
            opt_net.zero_grad()
            self.manual_backward(loss_net)
            opt_net.step()
        self.count += 1

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), 1e-2), torch.optim.Adam(self.disc.parameters(), 1e-2)


trainer = L.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
                    enable_model_summary=False, num_sanity_val_steps=0)
trainer.fit(Gan(), train_loader)
"""
)

MISTAKES = (
    Mistake("shuffle left out", "other settings of the training loader", (("shuffle=True", "shuffle=False"),)),
    Mistake("another batch size", "other settings of the training loader", (("train_set, batch_size=20", "train_set, batch_size=10"),)),
    Mistake("drop_last added", "other settings of the training loader", (("shuffle=True", "shuffle=True, drop_last=True"),)),
    Mistake("seeded again after the network", "seeding", (("loss_fn = nn", "torch.manual_seed(11)\nloss_fn = nn"),)),
    Mistake("another seed", "seeding", (("manual_seed(11)", "manual_seed(12)"),)),
    Mistake("a number drawn in the step", "random numbers", (("        x, y = batch\n        loss =", "        x, y = batch\n        torch.rand(1)\n        loss ="),)),
    Mistake("another dropout", "another network", (("nn.Dropout(0.2)", "nn.Dropout(0.4)"),)),
    Mistake(
        "the network made anew", "other weights at the start", (("self.net = net\n", "self.net = copy.deepcopy(net)\n        nn.init.zeros_(self.net[0].weight)\n"),)
    ),
    Mistake("label smoothing lost", "another loss function", (("nn.CrossEntropyLoss(label_smoothing=0.1)", "nn.CrossEntropyLoss()"),),
            (("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.1)"),), (("nn.CrossEntropyLoss()", "nn.CrossEntropyLoss(label_smoothing=0.1)"),)),
    Mistake("sum for mean", "another loss function", (("nn.CrossEntropyLoss()", 'nn.CrossEntropyLoss(reduction="sum")'),)),
    Mistake("another learning rate", "another learning rate from the start", (("lr=0.1", "lr=0.01"),)),
    Mistake("momentum left out", "settings of the optimizer", ((", momentum=0.9", ""),)),
    Mistake("weight decay left out", "settings of the optimizer", ((", weight_decay=0.1", ""),),
            (("momentum=0.9)", "momentum=0.9, weight_decay=0.1)"),), (("momentum=0.9)", "momentum=0.9, weight_decay=0.1)"),)),
    Mistake("Adam for SGD", "another optimizer, or another order of optimizers", ((_SGD, "torch.optim.Adam(self.net.parameters(), lr=0.1)"),)),
    Mistake("groups lost", "parameter groups of the optimizer", ((_GROUPED := "torch.optim.SGD([{'params': self.net[0].parameters(), 'weight_decay': 0.1}, {'params': self.net[1:].parameters()}], lr=0.1, momentum=0.9)", _SGD),),
            (("torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)", _GROUPED.replace("self.", "")),), ((_SGD, _GROUPED),)),
    Mistake("a layer is not optimized", "other parameters in the optimizer", (("self.net.parameters()", "self.net[4].parameters()"),)),
    Mistake("the teacher is trained", "other parameters in the optimizer", ((_SGD, _SGD.replace("self.net.", "self.")), ("    def training_step", "    def on_train_epoch_start(self):\n        self.train()\n\n    def training_step")), *_TEACHER),
    Mistake("StepLR stepped per batch", "scheduler interval", (('"interval": "epoch"', '"interval": "step"'),), *_STEPLR),
    Mistake("OneCycle stepped per epoch", "scheduler interval", (('"interval": "step"', '"interval": "epoch"'),), *_ONE_CYCLE),
    Mistake("OneCycle for the length of the data set", "other arguments of the scheduler", (("len(train_loader))\n", "len(train_set))\n"),), *_ONE_CYCLE),
    Mistake("another factor", "other arguments of the scheduler", (("StepLR(optimizer, 1, 0.5)", "StepLR(optimizer, 1, 0.1)"),), *_STEPLR),
    Mistake("Cosine for StepLR", "another scheduler", (("StepLR(optimizer, 1, 0.5)", "ExponentialLR(optimizer, 0.1)"),), *_STEPLR),
    Mistake("the schedule left out", "scheduler interval", ((', "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}', ""),), *_STEPLR),
    Mistake("plateau watches another number", "another metric for the plateau schedule", (('log("total", self', 'log("total", -self'),), *_PLATEAU),
    Mistake("the schedule counts steps, not batches", "the schedule counts batches, not optimizer steps", (),
            (*_ACCUMULATED[0], ("for epoch in range(3):", "scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, total_iters=9)\nfor epoch in range(3):"),
             ("            optimizer.zero_grad()\n", "            optimizer.zero_grad()\n        scheduler.step()\n")),
            (*_ACCUMULATED[1], (f"return {_SGD}", f"optimizer = {_SGD}\n        scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, 1.0, total_iters=9)\n"
             '        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}'))),
    Mistake("not divided", "scale of the loss", (("loss_fn(self.net(x), y) * 2\n        return", "loss_fn(self.net(x), y)\n        return"),),
            (("loss = loss_fn(net(x), y)", "loss = loss_fn(net(x), y) * 2"),), (("loss_fn(self.net(x), y)\n        return", "loss_fn(self.net(x), y) * 2\n        return"),)),
    Mistake("divided twice", "scale of the loss", (("loss_fn(self.net(x), y)\n        return", "loss_fn(self.net(x), y) / 3\n        return"),), *_ACCUMULATED),
    Mistake("accumulation left out", "another number of backward calls per step", ((" accumulate_grad_batches=3,", ""), ("self.net(x), y)\n        return", "self.net(x), y) / 3\n        return")), *_ACCUMULATED),
    Mistake("the rest is dropped", "accumulation over the end of an epoch", (),
            (*_ACCUMULATED[0], ("% 3 == 0 or batch_idx + 1 == len(train_loader)", "% 4 == 0"), ("y) / 3", "y) / 4")),
            (*_ACCUMULATED[1], ("accumulate_grad_batches=3", "accumulate_grad_batches=4"))),
    Mistake("clipping left out", "gradient clipping", ((" gradient_clip_val=0.3,", ""),), *_CLIPPED),
    Mistake("clipped by value", "gradient clipping", (("gradient_clip_val=0.3,", 'gradient_clip_val=0.3, gradient_clip_algorithm="value",'),), *_CLIPPED),
    Mistake("clipped before backward", "gradient clipping", ((" gradient_clip_val=0.3,", ""), ("        return loss\n", "        nn.utils.clip_grad_norm_(self.net.parameters(), 0.3)\n        return loss\n")), *_CLIPPED),
    Mistake("gradients never cleared", "zero_grad at other times", (("    def validation_step", "    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):\n        pass\n\n    def validation_step"),)),
    Mistake("cleared once per epoch in the raw loop", "zero_grad at other times", (), (("        optimizer.zero_grad()\n", ""), ("    net.train()\n", "    net.train()\n    optimizer.zero_grad()\n"))),
    Mistake("autocast left out", "precision", (('        with torch.autocast("cpu", torch.bfloat16):\n            loss = self', "        loss = self"),), *_AUTOCAST),
    Mistake("bf16-mixed added", "precision", (("max_epochs=3,", 'max_epochs=3, precision="bf16-mixed",'),)),
    Mistake("frozen BatchNorm is trained", "train or eval mode", (("    def on_train_epoch_start(self):\n        self.net[1].eval()\n\n", ""),),
            (("    net.train()\n", "    net.train()\n    net[1].eval()\n"),), (("    def training_step", "    def on_train_epoch_start(self):\n        self.net[1].eval()\n\n    def training_step"),)),
    Mistake("never back to train in the raw loop", "train or eval mode", (), (("    net.train()\n", ""),)),
    Mistake("the raw loop evaluates in train mode", "the evaluation runs in another mode", (), (("    net.eval()\n", ""),)),
    Mistake("the sanity check is counted", "the sanity check changes a state", (("num_sanity_val_steps=0", "num_sanity_val_steps=2"),),
            (("for epoch in range(3):", "seen = [0]\nscheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9 ** seen[0])\nfor epoch in range(3):"),
             (_EPOCH_END, _EPOCH_END + "    seen[0] += 1\n    scheduler.step()\n")),
            (("class Classifier", "seen = [0]\n\n\nclass Classifier"),
             ("    def training_step", "    def on_validation_epoch_end(self):\n        seen[0] += 1\n\n    def training_step"),
             (f"return {_SGD}", f"optimizer = {_SGD}\n        self.scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9 ** seen[0])\n        return optimizer"),
             ("    def validation_step", "    def on_train_epoch_end(self):\n        self.scheduler.step()\n\n    def validation_step"))),
    Mistake("one epoch less", "another number of epochs", (("max_epochs=3", "max_epochs=2"),)),
    Mistake("a batch less", "the converted run ends sooner", (("max_epochs=3", "max_epochs=3, max_steps=17"),)),
    Mistake("max_steps in batches", "max_steps counts optimizer steps, not batches", (("max_epochs=3", "max_epochs=9, max_steps=18"),), *_ACCUMULATED),
    Mistake("nothing is fitted", "the converted run did not train", (("trainer.fit(", "print("),)),
    Mistake("nothing is saved", "a save that is missing", (('torch.save(net.state_dict(), "net.pt")\n', ""),)),
    Mistake("saved too early", "another time of saving", (('torch.save(net.state_dict(), "net.pt")\n', ""), ("    def validation_step", '    def on_train_start(self):\n        torch.save(self.net.state_dict(), "net.pt")\n\n    def validation_step'))),
    Mistake("the average moves with every batch", "an average or another saved value is updated at other moments",
            (("        if (batch_idx + 1) % 3 == 0 or batch_idx + 1 == 6:\n            with", "        if True:\n            with"),), *_AVERAGE),
    Mistake("a hidden state is kept over the epochs", "state that changed between steps", (("self.net(x), y)\n        return", "self.net(x) * (1 + self.kept), y)\n        self.kept = 0.1\n        return"), ("self.loss_fn = loss_fn\n", "self.loss_fn = loss_fn\n        self.kept = 0.0\n"))),
)  # fmt: skip

GAN_MISTAKES = (
    Mistake("global_step counts both optimizers", "global_step counts the steps of every optimizer", (("self.count % 3", "self.global_step % 3"),)),
    Mistake("max_steps counts both optimizers", "max_steps counts the steps of every optimizer", (("max_epochs=3", "max_epochs=3, max_steps=18"),)),
    Mistake("the generator first", "another optimizer, or another order of optimizers", (("self.count % 3 == 0", "self.count % 3 == 1"),)),
)  # fmt: skip


def pairs() -> list[tuple[str, str, str, str, str]]:
    """(name, raw script, port without the mistake, port with it, cause) of every mistake.

    Where the raw loop is what nobody ported (the mistake has no edit of the port), the port without mistake is "".
    """
    found = []
    for base_raw, base_port, mistakes in ((RAW, PORT, MISTAKES), (_GAN_RAW, _GAN_PORT, GAN_MISTAKES)):
        for m in mistakes:
            raw, port = edited(base_raw, m.raw), edited(base_port, m.port)
            found.append((m.name, raw, port if m.mistake else "", edited(port, m.mistake), m.cause))
    return found
