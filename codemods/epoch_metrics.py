"""What is added up over the batches of an epoch, by hand or by a meter, is added up by ``self.log``: with ``--metrics native``.

    losses = AverageMeter()                              →   (nothing)
    ...
    losses.update(loss.item(), images.size(0))           →   self.log("val_loss", loss.double(), on_step=False, on_epoch=True, batch_size=images.size(0))
    ...
    val_loss = losses.avg                                →   val_loss = self.trainer.callback_metrics["val_loss"].item()

In double Lightning adds the same numbers in the same order, and divides by the same weights: what is told, and all that is decided by it, stays as it was. A sum of which no mean is
told is logged with ``reduce_fx="sum"``. What is told while the batches run is kept by a metric object of torchmetrics, which tells it at any time. (`torch2lit/plan/sums` reads
the script and has the conditions.)
Source: https://lightning.ai/docs/pytorch/stable/extensions/logging.html
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..feature import KeptSum, Note, Proposal, Sum, Training

_OPTION, _NOW, _KEPT = "metrics", "sum-by-lightning", "sum-kept"


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """Proposes `self.log` for the sums of the training, and for those of the validation."""

    name: str = "epoch_metrics"
    after: Sequence[str] = (
        "early_stopping",
        "logger",
        "mlflow_logger",
        "model_checkpoint",
        "resume",
        "wandb_logger",
        "weight_averaging",
    )

    def proposals(self, training: Training) -> Iterable[Proposal | KeptSum]:
        """One proposal for each of the two, and each sum that is left for a metric object."""
        if training.asked(_OPTION) != "native" or training.spread or _is_on_mps(training):
            return
        sums, kept = training.sums()
        for of_validation in (False, True):
            mine = [s for s in sums if s.of_validation is of_validation]
            if not all(s.counts for s in mine):  # a count alone is the script's as well as Lightning's
                yield _proposal(training, mine)
            elif kept:
                yield from (KeptSum(s.start, s.names[0]) for s in mine if not _only_counts(s))
        yield from kept


def _only_counts(one: Sum) -> bool:
    """Whether each batch adds the same number, so that a metric object would say less than a counter does."""
    return isinstance(one.fed, ast.AugAssign) and isinstance(one.fed.value, ast.Constant)


def _is_on_mps(training: Training) -> bool:
    """Whether the script may train on a device that knows no double precision."""
    return any(isinstance(n.value, str) and n.value.startswith("mps") for n in training.all(ast.Constant))


def _proposal(training: Training, sums: list[Sum]) -> Proposal:
    starts = {s.start: s.left for s in sums}
    counts = tuple(s.fed for s in sums if not s.value)
    told = ", ".join(f"`{s.name}`" for s in sums)
    return Proposal(
        target="self.log(..., on_epoch=True)",
        reason="Lightning adds up the same numbers in double",
        removed=(*(s for s, left in starts.items() if not left), *counts),
        reworded={
            **{start: f"{left}\n" for start, left in starts.items() if left},
            **{s.fed: _log(s, training.own_points) for s in sums if s.value},
        },
        unread=tuple(n for s in sums for n in s.names),
        level="native",
        option=_OPTION,
        notes=(Note(_NOW, sums[0].start, f"Lightning adds up {told} over the batches of an epoch"),),
        declined=Note(_KEPT, sums[0].start, f"the script goes on adding up {told}: {{why}}"),
        sums=tuple(sums),
    )


def _log(one: Sum, own_points: bool) -> str:
    how = f"batch_size={one.weight}" if one.weight else 'reduce_fx="sum"'
    more = ", logger=False" if own_points else ""
    return f"self.log({{{one.key}}}, {one.value}, on_step=False, on_epoch=True, {how}{more})\n"


FEATURE = EpochMetrics()
