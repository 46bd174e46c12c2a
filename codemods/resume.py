"""A training that goes on from a file goes on from Lightning's checkpoint: with ``--checkpoints lightning``.

    if args.resume:                                           →   trainer = L.Trainer(..., callbacks=[ModelCheckpoint(...), KeepRandom()])
        checkpoint = torch.load(args.resume)                      trainer.fit(lit_net, train_loader, ckpt_path=args.resume or None)
        start_epoch = checkpoint["epoch"]
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    for epoch in range(start_epoch, args.epochs):

Lightning stores no random state, and starts the loader once more on the way in. The callback keeps the state of the moment of saving, so that the resumed run shuffles and drops out
as the uninterrupted one. (`torch2lit/resuming` reads the block, `torch2lit/plan/going_on.py` has the rest of the conditions.)
Source: https://lightning.ai/docs/pytorch/stable/common/checkpointing_basic.html#resume-training-state
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..feature import Proposal, Training
from ..plain_options import has_plain_options
from ..program import TrainerSpec

_KEEP_RANDOM = '''\
class {KeepRandom}({lightning}.Callback):
    """Keeps the random states of the moment of saving: a resumed run draws what the uninterrupted one does."""

    loaded = None

    def state_dict(self):
        kind, keys, *rest = {numpy}.random.get_state()
        version, words, gauss = {random}.getstate()
        return {
            "torch": {torch}.get_rng_state(),
            "cuda": {torch}.cuda.get_rng_state_all(),
            "numpy": [kind, keys.tolist(), *rest],
            "python": [version, list(words), gauss],
        }

    def load_state_dict(self, state):
        self.loaded = state
        self.restore()

    def restore(self):
        {torch}.set_rng_state(self.loaded["torch"])
        {torch}.cuda.set_rng_state_all(self.loaded["cuda"])
        kind, keys, *rest = self.loaded["numpy"]
        {numpy}.random.set_state((kind, {numpy}.array(keys, dtype={numpy}.uint32), *rest))
        version, words, gauss = self.loaded["python"]
        {random}.setstate((version, tuple(words), gauss))

    def on_train_batch_start(self, *args):
        self.loaded = None

    def on_train_epoch_end(self, *args):
        # the file was written at an epoch's end: the loader has been started once too often
        if self.loaded is not None:
            self.restore()
            self.loaded = None
'''


@dataclass(frozen=True, slots=True)
class Resume:
    """Proposes `ckpt_path` and the callback that keeps the random states."""

    name: str = "resume"
    after: Sequence[str] = ("model_checkpoint",)

    def proposals(self, training: Training) -> Iterable[Proposal]:
        """One proposal where the script's own block for it is out of the way."""
        if not training.resumed:
            return
        plain = has_plain_options(training) and not any(_is_rate(n) for n in training.all(ast.Subscript))
        trusted = [] if plain else ["weights_only=False"]
        yield Proposal(
            target="fit(ckpt_path=...)",
            reason="the Trainer goes on from its checkpoint",
            trainer=TrainerSpec(callbacks=("{KeepRandom}()",)),
            definitions=(_KEEP_RANDOM,),
            fit=(f"ckpt_path={training.resumed}", *trusted),
            imports=("random", "numpy", "torch"),
            fresh=("KeepRandom",),
            level="native",
            option="checkpoints",
        )


def _is_rate(node: ast.Subscript) -> bool:
    """Whether a learning rate is set by hand: it may be a number of NumPy's, which torch loads only when told to trust the file."""
    return isinstance(node.ctx, ast.Store) and isinstance(node.slice, ast.Constant) and node.slice.value == "lr"


FEATURE = Resume()
