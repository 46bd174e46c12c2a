"""The same training, other saved files."""

from __future__ import annotations

from ..events import Save
from ..evidence import Cause, Evidence
from .rule import Rule, accumulates


def _other_content(e: Evidence) -> Cause | None:
    """A file is saved at the same moment under the same name and keys, with other tensors in it."""
    if e.first.what != "saved files" or (lost := _lost(e)) is None:
        return None
    twin = next((s for s in e.converted.saves if (s.name, s.steps, s.keys) == (lost.name, lost.steps, lost.keys)), None)
    if twin is None or twin.tensors == lost.tensors:
        return None
    if accumulates(e.raw, len(e.raw.steps)):
        why = (
            "With accumulation a batch is not a step: what is updated in on_train_batch_end (an average of the weights, a counter) moves more often "
            "than in the raw loop."
        )
    else:
        why = "It holds something besides the trained weights that was updated at other moments: an average of the weights, buffers, a counter."
    return Cause(
        "an average or another saved value is updated at other moments",
        f"Training is identical, and {lost.name or 'the object'} is saved at the same time, with other tensors. {why}",
        "Update it where the raw loop does: after an optimizer step, for example in optimizer_step after super(), or in on_train_batch_end only "
        "when `self.trainer.global_step` has grown.",
    )


def _moment(e: Evidence) -> Cause | None:
    if e.first.what != "saved files" or _other_content(e) is not None:
        return None
    moved = any(s.name == e.first.where for s in e.converted.saves)
    return Cause(
        "another time of saving" if moved else "a save that is missing",
        f"Training is identical, but {e.first.where or 'an object'} is "
        f"{'not saved with the same content' if moved else 'never saved'}.",
        "Save in on_train_epoch_end or on_validation_epoch_end, where the raw loop does, and decide on the "
        "raw numbers, not logged ones.",
    )


def _lost(e: Evidence) -> Save | None:
    return next((s for s in e.raw.saves if s.name == e.first.where and s.steps == e.first.step), None)


SAVES: tuple[Rule, ...] = (_other_content, _moment)
