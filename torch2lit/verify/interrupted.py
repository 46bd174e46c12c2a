"""A training that is stopped after an epoch, and one that goes on from what was saved there. Runs in the child, beside the tracer.

The checkpoint is the Trainer's own, saved at the end of the epoch behind all callbacks, whatever the script itself saves. The run that goes on gets other
random numbers first: what it needs of them must come with the checkpoint.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .trace import Recording

_LOADS = ("lightning.pytorch", "pytorch_lightning")
_OTHER_SEED = 20_011


def watched(control: Mapping[str, Any]) -> Callable[[Recording], Callable[[], object]] | None:
    """What to do besides, as the control file says: ``stop_after`` an epoch, or ``go_on`` from the ``checkpoint``."""
    if control["checkpoint"] is None:
        return None
    for package in control["lightning"]:
        with suppress(ImportError):
            importlib.import_module(f"{package}.trainer.trainer")
    return lambda _recording: _installed(control["checkpoint"], control["stop_after"])


def _installed(checkpoint: str, stop_after: int | None) -> Callable[[], object]:
    """Patch the first `fit` of the process; the answer undoes it."""
    undo: list[Callable[[], object]] = []
    for package in _LOADS:
        if (module := sys.modules.get(f"{package}.trainer.trainer")) is not None:
            trainer = vars(module)["Trainer"]
            original = trainer.fit
            trainer.fit = _stopped(original, checkpoint, stop_after) if stop_after else _going_on(original, checkpoint)
            undo.append(functools.partial(setattr, trainer, "fit", original))
    return lambda: [one() for one in undo]


def _stopped(fit: Callable[..., Any], checkpoint: str, epoch: int) -> Callable[..., Any]:
    @functools.wraps(fit)
    def watching(trainer: Any, *args: Any, **kwargs: Any) -> Any:
        trainer.callbacks.append(_stop(trainer, checkpoint, epoch))
        return fit(trainer, *args, **kwargs)

    return watching


def _stop(trainer: Any, checkpoint: str, epoch: int) -> Any:
    """A callback that saves after so many epochs and ends the process there, as a machine that goes down does.

    It is a Checkpoint, because Lightning calls those behind the module's own hooks, when the epoch is over.
    """
    module = sys.modules[f"{type(trainer).__module__.rpartition('.trainer.')[0]}.callbacks"]

    class Stop(module.Checkpoint):  # type: ignore[misc, name-defined]
        def on_train_epoch_end(self, trainer: Any, _module: Any) -> None:
            if trainer.current_epoch + 1 == epoch:
                trainer.save_checkpoint(checkpoint)
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)

    return Stop()


def _going_on(fit: Callable[..., Any], checkpoint: str) -> Callable[..., Any]:
    done: list[object] = []

    @functools.wraps(fit)
    def watching(*args: Any, **kwargs: Any) -> Any:
        if done:
            return fit(*args, **kwargs)
        done.append(fit)
        _draw_others()
        given = inspect.signature(fit).bind(*args, **kwargs)
        given.arguments["ckpt_path"] = checkpoint
        return fit(*given.args, **given.kwargs)

    return watching


def _draw_others() -> None:
    import random

    import torch

    random.seed(_OTHER_SEED)
    torch.manual_seed(_OTHER_SEED)
    with suppress(ImportError):
        import numpy

        numpy.random.seed(_OTHER_SEED)
