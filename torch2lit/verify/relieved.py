"""Optimizers of one class over the very same parameters, one after the other: as one, for what they do differently shows in its steps."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from .owners import Owners

_PLAIN = {"torch", "torch.nn.parameter"}
Known = tuple[str, Owners]


class Relieved:
    """What optimizers are called that have stepped, by what they are."""

    def __init__(self) -> None:
        self._known: list[tuple[str, tuple[weakref.ref[Any], ...], Known]] = []

    def add(self, kind: str, parameters: Sequence[Any], label: str, owners: Owners) -> None:
        """Remember an optimizer. One of tensors of other classes (sharded ones) is not: PyTorch cannot move those while anything refers to them weakly."""
        if {type(parameter).__module__ for parameter in parameters} <= _PLAIN:
            self._known.append((kind, tuple(map(weakref.ref, parameters)), (label, owners)))

    def by(self, kind: str, parameters: Sequence[Any]) -> Known | None:
        """The first of the same class that holds the same parameters in the same order."""
        for one, held, known in self._known:
            if one == kind and len(held) == len(parameters) and parameters:
                if all(ref() is parameter for ref, parameter in zip(held, parameters, strict=True)):
                    return known
        return None
