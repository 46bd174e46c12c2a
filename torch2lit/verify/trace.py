"""The tracer: what a training run does, step by step, without changing a number of it.

`record()` works in any process that has torch: in the tests around ``runpy.run_path``, and in the child
process that `torch2lit.verify.run` starts. It draws no random numbers and leaves nothing patched behind.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from .digest import content_sha1, joined_sha1, largest_of, norm_of, state_sha1s, tensor_sha1
from .events import Backward, LoaderStart, ModeChange, Save, SchedulerStep, Step, TensorFact, Trace, to_line
from .owners import Owners
from .set_up import SetUp

DETAILED_STEPS = 100


class StopTraining(BaseException):
    """Ends the traced program after the last wanted step. Neither users nor Lightning catch it by name."""


class Recording(Protocol):
    """What a part of the tracer that stands by itself may do with a recording."""

    @property
    def steps(self) -> int:
        """How many optimizer steps were done."""

    def add(self, event: object) -> None:
        """Take note of an event."""

    def stop(self) -> None:
        """End the traced program here."""


@contextmanager
def record(
    max_steps: int | None = None,
    seed: int | None = 0,
    *,
    sink: Callable[[str], object] | None = None,
    exit_hard: Callable[[], object] | None = None,
    dump_step: int | None = None,
    dump_to: Path | None = None,
    besides: Callable[[Recording], Callable[[], object]] | None = None,
) -> Iterator[Trace]:
    """Record what happens in the ``with`` block.

    ``max_steps`` ends the block after that many optimizer steps. ``seed`` seeds python, numpy and torch
    first; None leaves them. ``sink`` gets every event as a JSON line. ``exit_hard`` is called when the
    program swallowed the end and steps on. The parameters after step ``dump_step`` (from 0) are saved to
    ``dump_to``. ``besides`` records more: it is told where to, and gives what undoes its patches. Raises ImportError without torch; errors of the block pass through.
    """
    trace = Trace()
    recorder = _Recorder(trace, max_steps, sink, exit_hard)
    recorder.dump_step, recorder.dump_to = dump_step, dump_to
    if seed is not None:
        seed_everything(seed)
    recorder.install()
    if besides is not None:
        recorder.also(besides)
    try:
        yield trace
        recorder.end("limit" if recorder.stopping else "exit")
    except StopTraining:
        recorder.end("limit")
    except SystemExit:
        recorder.end("limit" if recorder.stopping else "exit")
        raise
    except BaseException:
        recorder.end("limit" if recorder.stopping else "error")
        raise
    finally:
        recorder.remove()


def seed_everything(seed: int) -> None:
    """Seed python, numpy (when installed) and torch."""
    import torch

    random.seed(seed)
    torch.manual_seed(seed)
    try:
        import numpy
    except ImportError:
        return
    numpy.random.seed(seed)


class _Depth(threading.local):
    """Tells the outermost call of a patched function from calls that it makes itself."""

    value = 0

    def __enter__(self) -> bool:
        self.value += 1
        return self.value == 1

    def __exit__(self, *_: object) -> None:
        self.value -= 1


class _Recorder:
    """Owns the patches and the order of events of one recording."""

    def __init__(
        self,
        trace: Trace,
        max_steps: int | None,
        sink: Callable[[str], object] | None,
        exit_hard: Callable[[], object] | None,
    ) -> None:
        self.trace = trace
        self.max_steps = max_steps
        self.stopping = False
        self.dump_step: int | None = None
        self.dump_to: Path | None = None
        self._sink = sink
        self._exit_hard = exit_hard
        self._process = os.getpid()
        self._undo: list[Callable[[], object]] = []
        self._optimizers: dict[int, tuple[weakref.ref[Any], str, Owners]] = {}
        self._used = 0
        self._cleared = 0
        self._left: float | None = None
        self._starts: dict[int, str] = {}
        self._set_up = SetUp(self.add, lambda: len(trace.steps))

    def install(self) -> None:
        import torch
        from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
        from torch.utils.data import DataLoader
        from torch.utils.data.dataloader import _BaseDataLoaderIter

        backward = _Depth()
        self._wrap(torch.Tensor, "backward", backward, before=self._on_backward)
        self._wrap(torch.autograd, "backward", backward, before=self._on_backward)
        self._wrap(torch, "save", _Depth(), before=self._on_save)
        self._wrap(torch.nn.Module, "train", _Depth(), before=self._on_mode)
        self._wrap(DataLoader, "__iter__", _Depth(), before=self._on_loader)
        self._wrap(_BaseDataLoaderIter, "__next__", _Depth(), after=self._on_batch)
        self._wrap(torch.autocast, "__enter__", _Depth(), before=self._on_autocast)
        clearing = _Depth()
        self._wrap(torch.optim.Optimizer, "zero_grad", clearing, before=self._on_zero_grad)
        self._wrap(torch.nn.Module, "zero_grad", clearing, before=self._on_zero_grad)
        self._wrap(torch, "manual_seed", _Depth(), before=self._set_up.seed)
        self._wrap_schedulers()
        self._wrap_loss_functions()
        self._undo.append(register_optimizer_step_pre_hook(self._before_step).remove)
        self._undo.append(register_optimizer_step_post_hook(self._on_step).remove)

    @property
    def steps(self) -> int:
        return len(self.trace.steps)

    def also(self, besides: Callable[[Recording], Callable[[], object]]) -> None:
        """Let another part patch and record, too."""
        self._undo.append(besides(self))

    def remove(self) -> None:
        """Undo every patch. May be called twice."""
        while self._undo:
            self._undo.pop()()

    def end(self, why: Any) -> None:
        self.trace.ended = why
        self._tell("end", why)

    def _wrap(
        self,
        owner: Any,
        name: str,
        depth: _Depth,
        before: Callable[..., object] | None = None,
        after: Callable[[Any], object] | None = None,
    ) -> None:
        original = vars(owner)[name]

        @functools.wraps(original)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with depth as outermost:
                if outermost and before is not None:
                    before(*args, **kwargs)
                result = original(*args, **kwargs)
                if outermost and after is not None:
                    after(result)
            return result

        setattr(owner, name, traced)
        self._undo.append(functools.partial(setattr, owner, name, original))

    def _wrap_schedulers(self) -> None:
        from torch.optim import lr_scheduler

        depth = _Depth()
        classes = {c for c in vars(lr_scheduler).values() if isinstance(c, type)}
        for scheduler in sorted(classes, key=lambda c: c.__name__):
            if issubclass(scheduler, lr_scheduler.LRScheduler):
                if "_initial_step" in vars(scheduler):
                    self._wrap(scheduler, "_initial_step", depth)  # what a constructor steps is no step of the user's
                if "step" in vars(scheduler):
                    self._wrap(scheduler, "step", depth, before=self._on_scheduler)

    def _wrap_loss_functions(self) -> None:
        from torch.nn.modules import loss

        classes = {c for c in vars(loss).values() if isinstance(c, type) and "forward" in vars(c)}
        for function in sorted(classes, key=lambda c: c.__name__):
            self._wrap(function, "forward", _Depth(), before=lambda module, *_, **__: self._set_up.criterion(module))

    def _tell(self, kind: str, value: Any) -> None:
        if self._sink is not None and os.getpid() == self._process:
            self._sink(to_line(kind, value))

    def add(self, event: object) -> None:
        self.trace.add(event)
        self._tell(type(event).__name__, event)

    def _on_backward(self, tensors: Any, *_: Any, **__: Any) -> None:
        import torch

        for tensor in tensors if isinstance(tensors, (list, tuple)) else (tensors,):
            if isinstance(tensor, torch.Tensor) and tensor.numel() == 1:
                loss = float(tensor.detach().reshape(-1)[0].double())
                rng = tensor_sha1(torch.get_rng_state())[:12]
                self.add(Backward(loss, len(self.trace.steps), rng, len(self.trace.batches)))

    def _on_save(self, obj: Any, f: Any = None, *_: Any, **__: Any) -> None:
        name = os.path.basename(os.fspath(f)) if isinstance(f, (str, os.PathLike)) else ""
        if name:
            # torch opens the file in C++, which no audit event tells
            sys.audit("torch2lit.write", os.fspath(f))
        keys = tuple(str(key) for key in obj) if isinstance(obj, dict) else ()
        facts = (type(obj).__name__, keys, content_sha1(obj), len(self.trace.steps), state_sha1s(obj))
        self.add(Save(str(name), *facts))

    def _on_mode(self, module: Any, mode: bool = True) -> None:
        self.add(ModeChange(type(module).__name__, bool(mode), len(self.trace.steps)))

    def _on_loader(self, loader: Any) -> None:
        self._set_up.loader(loader)
        self.add(LoaderStart(type(loader.sampler).__name__, len(self.trace.steps)))

    def _on_batch(self, batch: Any) -> None:
        try:
            digest = content_sha1(batch)[:12]
        except Exception:  # a batch may be anything; it only helps to name causes
            digest = type(batch).__name__
        self.trace.batches.append(digest)
        self._tell("batch", self.trace.batches[-1])

    def _on_autocast(self, context: Any) -> None:
        if getattr(context, "_enabled", True) and not self.trace.autocast:
            self.trace.autocast = True
            self._tell("autocast", True)

    def _on_scheduler(self, scheduler: Any, *given: Any, **named: Any) -> None:
        self._set_up.scheduler(scheduler)
        metric = _number(given[0] if given else named.get("metrics")) if hasattr(scheduler, "patience") else None
        self.add(SchedulerStep(type(scheduler).__name__, len(self.trace.steps), metric))

    def _on_zero_grad(self, *_: Any, **__: Any) -> None:
        self._cleared += 1

    def _before_step(self, optimizer: Any, *_: Any) -> None:
        if id(optimizer) not in self._starts and id(optimizer) not in self._optimizers:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            self._starts[id(optimizer)] = joined_sha1(map(tensor_sha1, parameters))[:12]

    def _on_step(self, optimizer: Any, *_: Any) -> None:
        import torch

        seconds = time.perf_counter() - self._left if self._left is not None else 0.0
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if all(p.grad is None for p in parameters):
            return  # Lightning steps without gradients when training_step returns None; raw loops do not
        if self.stopping:
            self.stop()
        with torch.no_grad():
            self.add(self._step(optimizer, parameters, seconds))
            if self.dump_to is not None and len(self.trace.steps) - 1 == self.dump_step:
                self._dump(parameters)
        self._left = time.perf_counter()
        if self.max_steps is not None and len(self.trace.steps) >= self.max_steps:
            self.stop()

    def _step(self, optimizer: Any, parameters: list[Any], seconds: float) -> Step:
        label, owners = self._known(optimizer, parameters)
        digests = [tensor_sha1(p) for p in parameters]
        detailed = len(self.trace.steps) < DETAILED_STEPS
        facts = tuple(map(_fact, digests, parameters)) if detailed else ()
        cleared, self._cleared = self._cleared, 0
        squares = sum(norm_of(p.grad) ** 2 for p in parameters if p.grad is not None)
        return Step(
            optimizer=label,
            learning_rates=tuple(float(group.get("lr", 0.0)) for group in optimizer.param_groups),
            parameters=joined_sha1(digests),
            loss_count=len(self.trace.backwards),
            gradient_norm=squares**0.5,
            training=owners.training(),
            tensors=facts,
            cleared=cleared,
            seconds=round(seconds, 6),
        )

    def _known(self, optimizer: Any, parameters: list[Any]) -> tuple[str, Owners]:
        reference, label, owners = self._optimizers.get(id(optimizer), (None, "", None))
        if owners is None or reference is None or reference() is not optimizer:
            label, owners = f"{type(optimizer).__name__}#{self._used}", Owners(parameters)
            self._used += 1
            self._optimizers[id(optimizer)] = (weakref.ref(optimizer), label, owners)
            self.trace.names[label] = owners.names
            self._tell("names", {label: owners.names})
            self._set_up.optimizer(label, optimizer, self._starts.get(id(optimizer), ""))
            for model in owners.roots():
                self._set_up.model(model)
        return label, owners

    def _dump(self, parameters: list[Any]) -> None:
        import torch

        undone = getattr(torch.save, "__wrapped__", torch.save)
        undone([p.detach().cpu() for p in parameters], self.dump_to)

    def stop(self) -> None:
        swallowed, self.stopping = self.stopping, True
        if swallowed and self._exit_hard is not None:
            self.end("limit")
            sys.stdout.flush()
            sys.stderr.flush()
            self._exit_hard()
        raise StopTraining


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _fact(digest: str, parameter: Any) -> TensorFact:
    return TensorFact(digest[:12], norm_of(parameter), largest_of(parameter))
