"""``TensorDataset`` takes its tensors by place.

    TensorDataset(data_tensor=x, target_tensor=y)   →   TensorDataset(x, y)

Source: https://github.com/pytorch/pytorch/releases/tag/v0.4.0 (TensorDataset takes any number of tensors).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script, at, end_of

_OLD = ("data_tensor", "target_tensor")
_MEANING = "`TensorDataset` takes its tensors by place: the names `data_tensor` and `target_tensor` are gone"


@dataclass(frozen=True, slots=True)
class TensorDatasetArguments:
    """Drops the names of the two arguments that had one."""

    name: str = "tensor_dataset_arguments"
    words: tuple[str, ...] = ("data_tensor",)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Calls that name their arguments in the old order; ``TensorDataset(x, target_tensor=y)``, too."""
        for call in script.all(ast.Call):
            names = tuple(k.arg for k in call.keywords)
            if not names or (len(call.args), names) not in ((0, _OLD), (1, _OLD[1:])):
                continue
            if script.full_name(call.func) in (
                "torch.utils.data.TensorDataset",
                "torch.utils.data.dataset.TensorDataset",
            ):
                pieces = tuple(Piece(at(k), at(k.value), "") for k in call.keywords)
                yield Modernisation(call.lineno, end_of(call)[0], pieces, _MEANING)


MODERNIZER = TensorDatasetArguments()
