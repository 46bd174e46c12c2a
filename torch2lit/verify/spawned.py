"""Follows the processes that a script starts by `torch.multiprocessing.spawn`, so that each of them is recorded, too.

Runs in the child process of `torch2lit.verify.run` and, through `_Traced`, in the processes that the script starts.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = __name__.rpartition(".")[0]
_LOAD = """(lambda name, sys, types: (
    sys.modules.setdefault(name, types.ModuleType(name)).__dict__.setdefault('__path__', [{here!r}]),
    __import__(name + '.spawned', fromlist=['Traced']).Traced)[1])({package!r}, __import__('sys'), __import__('types'))"""


class Traced:
    """The function of the script that every process runs, under the tracer. It can be pickled wherever the function can."""

    def __init__(self, function: Callable[..., Any], control: Mapping[str, Any]) -> None:
        self.function = function
        self.control = control

    def __call__(self, rank: int, *args: Any) -> None:
        """Run the function as the process of this rank, and record it."""
        import torch

        trace, copy_on_write, outside, synthetic, together = (
            importlib.import_module(f"{_PACKAGE}.{name}")
            for name in ("trace", "copy_on_write", "outside", "synthetic", "together")
        )
        torch.set_num_threads(1)
        torch.backends.mps.is_available = lambda: False
        control = self.control
        together.keep(control["limit"], control["together"][:1], 0)
        with open(control["spawned"].format(rank=rank), "w", encoding="utf-8", buffering=1) as events:
            written = outside.Outside(control["outside"], control["stage"])
            copy_on_write.guard(control["mirror"], control["protected"], written.tell)
            if control["stand_ins"] is not None:
                synthetic.stand_in(control["stand_ins"], control["stage"])
            with trace.record(
                control["steps"],
                control["seed"],
                sink=events.write,
                exit_hard=lambda: os._exit(0),
                dump_step=control["dump_step"],
                dump_to=control["dump_to"] if rank == 0 else None,
            ):
                self.function(rank, *args)
        together.end_spawned()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Made(), (self.function, self.control)


class _Made:
    """Stands for the class in a pickle: a new process knows neither this module nor where it is."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (_LOAD.format(here=_HERE, package=_PACKAGE),)

    def __call__(self, *_: Any) -> None:
        raise TypeError("only pickle makes one of these")


def follow(control: Mapping[str, Any]) -> None:
    """Record every process that the script will spawn."""
    import torch.multiprocessing

    module: types.ModuleType = sys.modules["torch.multiprocessing.spawn"]
    original = module.start_processes

    def start_processes(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return original(Traced(fn, control), *args, **kwargs)

    vars(module)["start_processes"] = start_processes
    torch.multiprocessing.start_processes = start_processes
