"""Process groups at the end of a process: torch waits in their destructor for threads that may wait for Python."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from typing import Any


def keep_groups() -> None:
    """Let no collector of this process destroy a process group: the operating system ends its threads.

    The destructor joins a thread that lets go of the last work done, for which it needs the interpreter's lock, which the collector holds.
    """
    torch = sys.modules.get("torch")
    distributed = sys.modules.get("torch.distributed")
    if torch is None or distributed is None or not distributed.is_available():
        return
    if "WORLD_SIZE" not in os.environ and not distributed.is_initialized():
        return
    for held in (*known_groups(), *_reducers(torch.nn.parallel.DistributedDataParallel)):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))


def known_groups() -> list[Any]:
    """The process groups that this process has made and not destroyed."""
    distributed = sys.modules["torch.distributed"].distributed_c10d
    return list(getattr(getattr(distributed, "_world", None), "pg_map", ()))


def _reducers(wrapper: type) -> list[Any]:
    """What the wrappers hold their group by, though the script has destroyed it."""
    wrapped = [found for found in gc.get_objects() if issubclass(type(found), wrapper)]
    return [reducer for one in wrapped if (reducer := vars(one).get("reducer")) is not None]
