"""An average of the weights is kept by ``EMAWeightAveraging`` or ``WeightAveraging``: with ``--callbacks``.

    ema_model = AveragedModel(model, avg_fn=get_ema_avg_fn(0.99))     →   Trainer(callbacks=[EMAWeightAveraging(decay=0.99, use_buffers=False)])
    ...
    ema_model.update_parameters(model)

The callback averages by the same formula after every step, and validates with the average. (`torch2lit/averages` reads the script and has the conditions.)
Source: https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.WeightAveraging.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..feature import Proposal, Training
from ..program import TrainerSpec

_FROM_START = '''\
class {AverageFromStart}({WeightAveraging}):
    """Averages after the first step already: the average begins as a copy of the first weights."""

    def setup(self, trainer, pl_module, stage):
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self._average_model.n_averaged.fill_(1)
'''


@dataclass(frozen=True, slots=True)
class WeightAveraging:
    """Proposes the callback where the script's own average is out of the way."""

    name: str = "weight_averaging"
    after: Sequence[str] = ()

    def proposals(self, training: Training) -> Iterable[Proposal]:
        """One proposal, or none."""
        if not training.averaging:
            return
        kind, bracket, rest = training.averaging.partition("(")
        from_start = kind == "AverageFromStart"
        yield Proposal(
            target=kind,
            reason="the callback keeps the same average",
            trainer=TrainerSpec(callbacks=(f"{{{kind}}}{bracket}{rest}",)),
            imports=(f"lightning.pytorch.callbacks.{'WeightAveraging' if from_start else kind}",),
            definitions=(_FROM_START,) if from_start else (),
            fresh=(kind,) if from_start else (),
            level="native",
            option="callbacks",
        )


FEATURE = WeightAveraging()
