"""What a run set up: the settings of optimizers, schedulers, loaders, models, loss functions and the Trainer, as text.

Each object tells once, when it is first used. Nothing here draws a random number or changes what it looks at.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .events import Fact

_MOST_MODULES = 400
_LONGEST = 120
_CHANGING = {"last_epoch", "best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i", "total_iters_done", "verbose"}
"""Attributes of schedulers that are a state, not a setting."""
_TRAINER = (
    "max_epochs", "max_steps", "accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm",
    "num_sanity_val_steps", "precision", "val_check_interval", "check_val_every_n_epoch", "limit_train_batches",
    "limit_val_batches", "reload_dataloaders_every_n_epochs",
)  # fmt: skip


class SetUp:
    """Tells what is set up, each object once."""

    def __init__(self, tell: Callable[[Fact], None], steps: Callable[[], int]) -> None:
        self._tell = tell
        self._steps = steps
        self._known: dict[int, weakref.ref[Any] | None] = {}
        self._has_trainer = False

    def _fact(self, kind: str, name: str, settings: Mapping[str, str]) -> None:
        self._tell(Fact(kind, name, dict(settings), self._steps()))

    def _is_new(self, thing: Any) -> bool:
        known = self._known.get(id(thing))
        if known is not None and known() is thing:
            return False
        try:
            self._known[id(thing)] = weakref.ref(thing)
        except TypeError:
            return False
        return True

    def seed(self, number: Any, *_: Any, **__: Any) -> None:
        """Somebody seeds torch."""
        self._fact("seed", _text(number), {})

    def optimizer(self, label: str, optimizer: Any, start: str) -> None:
        """An optimizer steps for the first time; ``start`` is the digest of its parameters before."""
        groups = optimizer.param_groups
        settings = {
            "groups": str(len(groups)),
            "tensors": str(sum(len(group["params"]) for group in groups)),
            "tensors per group": "+".join(str(len(group["params"])) for group in groups),
            "weights at the start": start,
        }
        for key in sorted({key for group in groups for key in group} - {"params", "initial_lr"}):
            values = [_text(group.get(key)) for group in groups]
            settings[key] = values[0] if len(set(values)) == 1 else ", ".join(values)
        self._fact("optimizer", label, settings)

    def model(self, model: Any) -> None:
        """A model whose parameters are optimized: its parts, as far as they compute something themselves."""
        import torch

        if self._is_new(model):
            parts = [m for m in torch.nn.Module.modules(model) if not any(True for _ in m.children())]
            told = {str(number): _text(repr(part)) for number, part in enumerate(parts[:_MOST_MODULES])}
            self._fact("model", type(model).__name__, told)

    def criterion(self, module: Any) -> None:
        """A loss function of torch.nn is called."""
        if self._is_new(module):
            self._fact("criterion", type(module).__name__, _plain(vars(module), without=("training",)))

    def scheduler(self, scheduler: Any) -> None:
        """A scheduler is stepped for the first time."""
        if self._is_new(scheduler):
            self._fact("scheduler", type(scheduler).__name__, _plain(vars(scheduler), without=_CHANGING))

    def loader(self, loader: Any) -> None:
        """A loader is started for the first time."""
        self._look_for_trainer()
        if not self._is_new(loader):
            return
        settings = {
            "batch_size": _text(getattr(loader, "batch_size", None)),
            "drop_last": _text(getattr(loader, "drop_last", None)),
            "sampler": type(loader.sampler).__name__,
            "num_workers": _text(getattr(loader, "num_workers", None)),
            "batches": _length(loader),
            "samples": _length(getattr(loader, "dataset", None)),
        }
        self._fact("loader", type(loader).__name__, settings)

    def _look_for_trainer(self) -> None:
        """The Trainer whose `fit` is running, found among the callers: its class may be imported at any time."""
        if self._has_trainer:
            return
        modules = (sys.modules.get(f"{name}.trainer.trainer") for name in ("lightning.pytorch", "pytorch_lightning"))
        classes = tuple(kind for module in modules if isinstance(kind := getattr(module, "Trainer", None), type))
        frame = sys._getframe() if classes else None
        while frame is not None:
            trainer = frame.f_locals.get("self")
            if isinstance(trainer, classes):
                self._has_trainer = True
                self._fact("trainer", type(trainer).__name__, _told_trainer(trainer))
                return
            frame = frame.f_back


def _told_trainer(trainer: Any) -> dict[str, str]:
    settings = {name: _text(getattr(trainer, name, None)) for name in _TRAINER}
    module = getattr(trainer, "lightning_module", None)
    settings["automatic_optimization"] = _text(getattr(module, "automatic_optimization", None))
    return settings


def _plain(values: Mapping[str, Any], without: Sequence[str] | set[str]) -> dict[str, str]:
    """The settings among an object's attributes: numbers, words and short lists of them."""
    return {
        key: _text(value)
        for key, value in sorted(values.items())
        if not key.startswith("_") and key not in without and _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return len(value) <= 8 and all(map(_is_plain, value))
    return isinstance(value, (bool, int, float, str, type(None)))


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else repr(value))[:_LONGEST]


def _length(thing: Any) -> str:
    try:
        return str(len(thing))
    except Exception:  # an object of the user's own; it only helps to name causes
        return "unknown"
