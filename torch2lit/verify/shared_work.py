"""What several processes share out and what each of them does alike: samples, evaluations, lines printed while a Trainer fits.

Runs in the child, beside the tracer. The first process keeps what the module holds when an evaluation begins; a run in one process is
given it at that place, so that both evaluate the same weights.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .digest import content_sha1
from .events import Evaluation, Printed, Samples

if TYPE_CHECKING:
    from .trace import Recording

_LOADS = ("lightning.pytorch", "pytorch_lightning")
_MOST_SAMPLES = 20_000
_MOST_EVALUATIONS = 25
_MOST_LINES = 20
_TIMES = ("time", "elapsed", "duration", "seconds", "speed", "clock")


def watched(control: Mapping[str, Any]) -> Callable[[Recording], Callable[[], object]] | None:
    """What to record besides, as the control file says: ``shares`` is the folder of what evaluations begin with, ``replays`` whether
    this process is given it, ``lightning`` the packages that the script imports.
    """
    if control["shares"] is None:
        return None
    for package in control["lightning"]:
        with suppress(ImportError):
            importlib.import_module(f"{package}.loops.evaluation_loop")
    place = Path(control["shares"])
    return lambda recording: _Watch(recording, place, control["rank"], control["replays"]).installed()


class _Watch:
    """Owns the patches of one process."""

    def __init__(self, recording: Recording, place: Path, rank: int, replays: bool) -> None:
        self.recording = recording
        self.place = place
        self.rank = rank
        self.replays = replays
        self.samples = 0
        self.lines = 0
        self.evaluations = 0
        self.passed: set[int] = set()
        self._undo: list[Callable[[], object]] = []

    def installed(self) -> Callable[[], object]:
        """Patch what is to be watched; the answer undoes it."""
        from torch.utils.data import DataLoader
        from torch.utils.data.dataloader import _BaseDataLoaderIter

        self._replace(DataLoader, "__iter__", self._iterated)
        self._replace(_BaseDataLoaderIter, "__next__", self._batch)
        for package in _LOADS:
            if (module := sys.modules.get(f"{package}.loops.evaluation_loop")) is not None:
                self._replace(vars(module)["_EvaluationLoop"], "run", self._evaluated)
            if self.rank and (module := sys.modules.get(f"{package}.trainer.trainer")) is not None:
                self._replace(vars(module)["Trainer"], "fit", self._fitted)
        return self._remove

    def _replace(self, owner: Any, name: str, replacement: Callable[..., Any]) -> None:
        original = vars(owner)[name]

        @functools.wraps(original)
        def watching(*args: Any, **kwargs: Any) -> Any:
            return replacement(original, *args, **kwargs)

        setattr(owner, name, watching)
        self._undo.append(functools.partial(setattr, owner, name, original))

    def _remove(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _iterated(self, original: Callable[..., Any], loader: Any) -> Any:
        iterator = original(loader)
        with suppress(AttributeError):
            iterator._torch2lit = None if id(loader) in self.passed else _is_shared(loader)
        self.passed.add(id(loader))
        return iterator

    def _batch(self, original: Callable[..., Any], iterator: Any) -> Any:
        batch = original(iterator)
        if (shared := getattr(iterator, "_torch2lit", None)) is not None and self.samples < _MOST_SAMPLES:
            import torch

            with suppress(Exception):  # a batch may be anything
                digests = tuple(_rows(batch))
                self.samples += len(digests)
                self.recording.add(Samples(not torch.is_grad_enabled(), shared, digests))
        return batch

    def _evaluated(self, original: Callable[..., Any], loop: Any, *args: Any, **kwargs: Any) -> Any:
        module, number = loop.trainer.lightning_module, self.evaluations
        self.evaluations += 1
        kept = self.place / f"evaluation-{number}.pt"
        if self.replays:
            if not kept.exists():
                self.recording.stop()
            _give(module, kept)
        elif self.rank == 0 and number < _MOST_EVALUATIONS:
            _keep(module, kept)
        before = {name: len(value) for name, value in vars(module).items() if isinstance(value, list)}
        logged = original(loop, *args, **kwargs)
        self.recording.add(Evaluation(self.recording.steps, {**_left(module, before), **_logged(logged)}))
        if self.replays and not (self.place / f"evaluation-{number + 1}.pt").exists():
            self.recording.stop()
        return logged

    def _fitted(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        stream = sys.stdout
        sys.stdout = _Lines(stream, self._line)
        try:
            return original(*args, **kwargs)
        finally:
            sys.stdout = stream

    def _line(self, text: str) -> None:
        if self.lines < _MOST_LINES:
            self.lines += 1
            self.recording.add(Printed(text, self.recording.steps))


class _Lines:
    """Stands for a stream and tells of every line that is written."""

    def __init__(self, stream: Any, tell: Callable[[str], None]) -> None:
        self._stream = stream
        self._tell = tell
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            self._tell(line)
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _is_shared(loader: Any) -> bool:
    """Whether the loader's sampler gives every process a part."""
    samplers = [loader.sampler, getattr(loader.batch_sampler, "sampler", None)]
    return any((getattr(sampler, "num_replicas", None) or 1) > 1 for sampler in samplers)


def _rows(batch: Any) -> Iterator[str]:
    """One digest for each sample of a batch, over all tensors that are as long as the first one."""
    tensors = list(_tensors(batch))
    size = next(len(t) for t in tensors if t.ndim)
    for number in range(size):
        rows = [content_sha1(t[number]) for t in tensors if t.ndim and len(t) == size]
        yield hashlib.sha1("".join(rows).encode()).hexdigest()[:16]


def _tensors(value: Any) -> Iterator[Any]:
    import torch

    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _keep(module: Any, place: Path) -> None:
    """Write what an evaluation begins with: the weights and buffers, and the module's own numbers."""
    import torch

    save = getattr(torch.save, "__wrapped__", torch.save)
    save({"state": module.state_dict(), "numbers": dict(_numbers(module))}, place)


def _give(module: Any, place: Path) -> None:
    import torch

    kept = torch.load(place, weights_only=True)
    own = module.state_dict()
    with torch.no_grad():
        for name, value in kept["state"].items():
            if isinstance(own.get(name), torch.Tensor) and own[name].shape == value.shape:
                own[name].copy_(value)
    for name, value in kept["numbers"].items():
        if name in vars(module):
            setattr(module, name, value)


def _numbers(module: Any) -> Iterator[tuple[str, Any]]:
    """The plain numbers among a module's own attributes."""
    for name, value in vars(module).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not name.startswith("_"):
            yield name, value


def _left(module: Any, before: Mapping[str, int]) -> dict[str, float]:
    """The numbers that an evaluation left on its module: attributes, and what was added to lists."""
    found: dict[str, float] = {}
    for name, value in vars(module).items():
        if name.startswith("_") or any(word in name.lower() for word in _TIMES):
            continue
        if isinstance(value, list) and len(value) > before.get(name, 0):
            value = value[-1]
        if (number := _number(value)) is not None:
            found[name] = number
    return found


def _logged(outputs: Any) -> dict[str, float]:
    """The numbers that were logged, by name; a loader's number is part of the name where there are several."""
    rows = outputs if isinstance(outputs, list) else []
    pairs = [(name, _number(value)) for row in rows if isinstance(row, Mapping) for name, value in row.items()]
    return {f"logged {name}": number for name, number in pairs if number is not None}


def _number(value: Any) -> float | None:
    import torch

    if isinstance(value, bool) or (isinstance(value, torch.Tensor) and value.numel() != 1):
        return None
    if isinstance(value, (int, float, torch.Tensor)):
        with suppress(ValueError, RuntimeError, OverflowError):
            return float(value)
    return None
