"""An older torch, as far as scripts saw it: what they used that a current one no longer has or does.

Each patch restores the old interface with the old meaning, so that a raw script for PyTorch 0.2 to 1.x runs here as it did
there and can be compared with its conversion, which runs on the current torch as it is.
"""

from __future__ import annotations

import contextlib
import math
import sys
import types
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch


@contextlib.contextmanager
def legacy_torch() -> Iterator[None]:
    """The old interfaces within the block."""
    import numpy
    import torch
    from torch.optim import lr_scheduler
    from torch.utils.data import TensorDataset, dataloader

    six = types.ModuleType("torch._six")
    six.inf = math.inf  # type: ignore[attr-defined]
    with contextlib.ExitStack() as stack:

        def set_to(owner: Any, name: str, value: object) -> None:
            stack.enter_context(patch.object(owner, name, value, create=True))

        set_to(torch.Tensor, "data", _data_of_one_element(torch.Tensor))
        set_to(torch.Tensor, "numpy", _one_dimension(torch.Tensor.numpy))
        set_to(torch.Tensor, "view", _view_of_copy(torch.Tensor.view))
        set_to(torch.Tensor, "backward", _renamed(torch.Tensor.backward, retain_variables="retain_graph"))
        set_to(torch, "load", _given(torch.load, weights_only=False))
        set_to(dataloader._BaseDataLoaderIter, "next", lambda self: next(self))
        set_to(TensorDataset, "__init__", _by_place(TensorDataset.__init__, "data_tensor", "target_tensor"))
        for scheduler in (lr_scheduler.StepLR, lr_scheduler.ReduceLROnPlateau, lr_scheduler.LambdaLR):
            set_to(scheduler, "__init__", _without(scheduler.__init__, "verbose"))
        for name, value in (("int", int), ("float", float), ("object", object), ("Inf", math.inf), ("float_", float)):
            if name not in vars(numpy):
                set_to(numpy, name, value)
        stack.enter_context(patch.dict(sys.modules, {"torch._six": six}))
        yield


def _data_of_one_element(tensor: Any) -> property:
    """Up to 0.3 a loss had one element, and indexing its data gave a Python number.

    Tensor's own ``__getitem__`` is left alone: Python does not take back what setting it does to the type.
    """
    old = tensor.data

    class Number(tensor):  # type: ignore[misc]
        def __getitem__(self, key: Any) -> Any:
            return self.item() if type(key) is int and key == 0 and self.dim() == 0 else super().__getitem__(key)

    def get(self: Any) -> Any:
        data = old.__get__(self)
        return data.as_subclass(Number) if type(data) is tensor and data.dim() == 0 else data

    return property(get, old.__set__)


def _one_dimension(old: Any) -> Any:
    return lambda self, **options: old(self, **options).reshape(1) if self.dim() == 0 else old(self, **options)


def _view_of_copy(old: Any) -> Any:
    """Up to 1.4 a comparison gave a contiguous tensor, of which every view is one."""
    return lambda self, *shape: old(self if self.dtype.is_floating_point else self.contiguous(), *shape)


def _renamed(old: Any, **names: str) -> Any:
    return lambda *args, **given: old(*args, **{names.get(name, name): value for name, value in given.items()})


def _given(old: Any, **defaults: object) -> Any:
    return lambda *args, **given: old(*args, **{**defaults, **given})


def _without(old: Any, name: str) -> Any:
    return lambda *args, **given: old(*args, **{key: value for key, value in given.items() if key != name})


def _by_place(old: Any, *names: str) -> Any:
    return lambda self, *args, **given: old(self, *args, *(given[name] for name in names if name in given))
