"""Which model owns the parameters of an optimizer: their names, and whether it is in training mode."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

_WRAPPERS = ("lightning.", "pytorch_lightning.", "torch.nn.parallel.")


class Owners:
    """The outermost models of the user that hold some of these parameters.

    Lightning's and DDP's own wrappers are passed over, so that raw and converted run name a parameter the
    same.
    """

    def __init__(self, parameters: Sequence[Any]) -> None:
        wanted = {id(p): index for index, p in enumerate(parameters)}
        names = [""] * len(parameters)
        owning: list[Any] = []
        inner: set[int] = set()
        for module in _modules():
            named = [(name, wanted[id(p)]) for name, p in _named_parameters(module) if id(p) in wanted]
            for name, index in named:
                if not names[index] or name.count(".") > names[index].count("."):
                    names[index] = name
            if named:
                owning.append(module)
                inner.update(id(m) for m in _submodules(module) if m is not module)
        self.names = tuple(names)
        self._roots = [weakref.ref(m) for m in owning if id(m) not in inner]

    def training(self) -> tuple[int, int]:
        """(modules in training mode, all modules) of the owners that still live."""
        modules = [m for owner in self.roots() for m in _submodules(owner)]
        return sum(m.training for m in modules), len(modules)

    def roots(self) -> list[Any]:
        """The owners that still live."""
        return [owner for root in self._roots if (owner := root()) is not None]


def _named_parameters(module: Any) -> Iterator[tuple[str, Any]]:
    import torch

    yield from torch.nn.Module.named_parameters(module)  # past overrides by the user


def _submodules(module: Any) -> Iterator[Any]:
    import torch

    yield from torch.nn.Module.modules(module)


def _modules() -> list[Any]:
    """Every module of the process: there are some thousand classes of objects, and a million objects to look through."""
    import torch

    objects = gc.get_objects()
    kinds = {kind for kind in set(map(type, objects)) if torch.nn.Module in kind.__mro__ and not _is_wrapper(kind)}
    return [found for found in objects if type(found) in kinds and "_modules" in vars(found)] if kinds else []


_known_wrappers: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()
"""Each optimizer asks of some hundred classes, most of which stay."""


def _is_wrapper(kind: type) -> bool:
    known = _known_wrappers.get(kind)
    if known is None:
        known = any(base.__module__.startswith(_WRAPPERS) for base in kind.__mro__)
        _known_wrappers[kind] = known
    return known
