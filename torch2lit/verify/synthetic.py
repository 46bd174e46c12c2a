"""Small data sets that stand in for those of torchvision that are not there, the same in every run. Runs in the child.

The script's own import is waited for: without torchvision, or where the data are there, nothing is done. A stand-in has the attributes, shapes and types
of the real one, so what a script does with them goes on. Nothing is drawn from the random numbers that the script uses.
"""

from __future__ import annotations

import functools
import inspect
import os
import struct
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TRAINING, OTHERS = 512, 128
"""Samples of a training set, and of every other one."""
_IN_A_FOLDER = 16
"""Images of each class of a folder of images."""
_SIDE = 64
_CLASSES = ("class_0", "class_1")
_MODULE = "torchvision.datasets"
_SEED = 15
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def stand_in(notes: str, stage: str) -> None:
    """Let data sets of torchvision that are missing be stood in for, from the script's import on; each is told in the file ``notes``."""
    handle = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(name: str, samples: int) -> None:
        os.write(handle, f"{name}\t{samples}\n".encode())

    patch = functools.partial(_patched, tell=tell, stage=stage)
    if (module := sys.modules.get(_MODULE)) is not None:
        patch(module)
    else:
        sys.meta_path.insert(0, _Finder(patch))


def told_in(notes: str) -> list[str]:
    """What stood in for what, each once, in the order in which the script asked for it."""
    rows = dict.fromkeys(line for line in notes.splitlines() if line.count("\t") == 1)
    return [f"{name} ({samples} samples)" for name, samples in (row.split("\t") for row in rows)]


class _Finder:
    """Finds the module as the other finders do, and patches it when it has been imported."""

    def __init__(self, patch: Callable[[Any], None]) -> None:
        self._patch = patch

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> Any:
        if name != _MODULE:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None and spec.loader is not None:
                execute = spec.loader.exec_module

                def exec_module(module: Any, execute: Callable[[Any], None] = execute) -> None:
                    execute(module)
                    self._patch(module)
                    sys.meta_path.remove(self)

                spec.loader.exec_module = exec_module  # type: ignore[method-assign]
                return spec
        return None


def _patched(module: Any, tell: Callable[[str, int], None], stage: str) -> None:
    fillings: Mapping[str, Callable[[Any, Mapping[str, Any]], None]] = {
        "MNIST": _digits,
        "CIFAR10": _small_pictures,
        "SVHN": _house_numbers,
    }
    for name, fill in fillings.items():
        if isinstance(kind := getattr(module, name, None), type):
            kind.__init__ = _filled(kind.__init__, fill, tell)  # type: ignore[misc]
    if isinstance(kind := getattr(module, "ImageFolder", None), type):
        kind.__init__ = _in_folder(kind.__init__, tell, stage)  # type: ignore[misc]


def _filled(original: Any, fill: Callable[[Any, Mapping[str, Any]], None], tell: Callable[[str, int], None]) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs)
        given.apply_defaults()
        if "download" in given.arguments:
            given.arguments["download"] = False  # it is there already, or stood in for
        try:
            original(*given.args, **given.kwargs)
        except (RuntimeError, FileNotFoundError) as problem:
            if not _is_missing(self, problem):
                raise
            fill(self, given.arguments)
            tell(_name(self), len(self.data))

    return init


def _is_missing(data_set: Any, problem: Exception) -> bool:
    """Whether there is nothing, not something that is broken."""
    if isinstance(problem, RuntimeError) and "not found" not in str(problem):
        return False
    if any(kind.__name__ == "QMNIST" for kind in type(data_set).__mro__):
        return False  # its targets have another shape
    places = [getattr(data_set, "raw_folder", None)]
    if isinstance(folder := getattr(data_set, "base_folder", None), str):
        places.append(os.path.join(data_set.root, folder))
    return not any(isinstance(place, str) and os.path.isdir(place) and os.listdir(place) for place in places)


def _name(data_set: Any) -> str:
    """The name of the data set as torchvision has it, whatever the script has made of its class."""
    return next(kind.__name__ for kind in type(data_set).__mro__ if kind.__module__.startswith("torchvision"))


def _pictures(samples: int, *shape: int, classes: int) -> tuple[Any, Any]:
    """Noise around a picture for each class, as bytes, and the classes."""
    import torch

    drawn = torch.Generator().manual_seed(_SEED)
    targets = torch.arange(samples) % classes
    means = torch.randint(0, 128, (classes, *shape), generator=drawn)
    noise = torch.randint(0, 128, (samples, *shape), generator=drawn.manual_seed(_SEED + samples))
    return (means[targets] + noise).to(torch.uint8), targets


def _digits(data_set: Any, given: Mapping[str, Any]) -> None:
    samples = TRAINING if given.get("train", True) else OTHERS
    data_set.data, data_set.targets = _pictures(samples, 28, 28, classes=10)


def _small_pictures(data_set: Any, given: Mapping[str, Any]) -> None:
    hundred = any(kind.__name__ == "CIFAR100" for kind in type(data_set).__mro__)
    names = [f"class_{number}" for number in range(100)] if hundred else list(_CIFAR10)
    samples = TRAINING if given.get("train", True) else OTHERS
    data, targets = _pictures(samples, 32, 32, 3, classes=len(names))
    data_set.data, data_set.targets = data.numpy(), targets.tolist()
    data_set.classes = names
    data_set.class_to_idx = {name: number for number, name in enumerate(names)}


def _house_numbers(data_set: Any, given: Mapping[str, Any]) -> None:
    samples = OTHERS if given.get("split") == "test" else TRAINING
    data, targets = _pictures(samples, 3, 32, 32, classes=10)
    data_set.data, data_set.labels = data.numpy(), targets.numpy()


def _in_folder(original: Any, tell: Callable[[str, int], None], stage: str) -> Any:
    signature = inspect.signature(original)

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        given = signature.bind(self, *args, **kwargs)
        root = os.fspath(given.arguments["root"])
        if not os.path.lexists(root):
            given.arguments["root"] = _folder_of_images(
                os.path.join(stage, "stand-ins", f"{zlib.crc32(root.encode()):08x}")
            )
            tell(f"{_name(self)} of {os.path.basename(os.path.normpath(root))}", len(_CLASSES) * _IN_A_FOLDER)
        original(*given.args, **given.kwargs)

    return init


def _folder_of_images(root: str) -> str:
    """A folder with a folder of pictures for each class, at the same place in every run."""
    data, targets = _pictures(len(_CLASSES) * _IN_A_FOLDER, _SIDE, _SIDE, 3, classes=len(_CLASSES))
    for number, (picture, target) in enumerate(zip(data, targets.tolist(), strict=True)):
        folder = os.path.join(root, _CLASSES[target])
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{number:03}.png"), "wb") as file:
            file.write(_png(_SIDE, _SIDE, bytes(picture.flatten().tolist())))
    return root


def _png(width: int, height: int, colors: bytes) -> bytes:
    """A picture of 8 bits for each of red, green and blue as a file."""
    rows = b"".join(b"\0" + colors[start : start + 3 * width] for start in range(0, len(colors), 3 * width))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
