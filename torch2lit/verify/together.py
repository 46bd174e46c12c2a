"""One of several processes of a training: it keeps the groups that the script destroys, and ends when the others do.

What held a destroyed group last, a `DistributedDataParallel` at the end of a function, waits for threads that may wait for Python (see `groups.py`): it was
seen to wait for ever. Nothing that a script trains or prints hangs on it, so a group is only forgotten, and the process ends without taking it apart.
Runs in the child process of `torch2lit.verify.run`.
"""

from __future__ import annotations

import atexit
import faulthandler
import functools
import gc
import itertools
import multiprocessing.util
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .groups import known_groups

_BEFORE_THE_LIMIT = 0.95
_LONGEST_MEETING = 20.0


def keep(limit: float, together: Sequence[str], rank: int) -> None:
    """Keep what the script destroys, until it makes groups anew or ends. Shortly before ``limit`` (seconds) it is told on stderr where the
    process stands: one of several may wait for the others for ever. ``together``: a file for every process, see `meet`.
    """
    import torch.distributed

    if not torch.distributed.is_available():
        return
    distributed: Any = torch.distributed
    kept: list[Any] = []
    times = itertools.count()
    make, destroy = distributed.init_process_group, distributed.destroy_process_group

    @functools.wraps(destroy)
    def forget(group: Any = None) -> None:
        kept.extend(known_groups() if group is None else [group])
        destroy(group)

    @functools.wraps(make)
    def make_anew(*arguments: Any, **keywords: Any) -> None:
        if kept:
            kept.clear()  # else the port of the first store is still taken
            number = next(times)
            meet([f"{place}-{number}" for place in together], rank)
        make(*arguments, **keywords)

    for module in (distributed, distributed.distributed_c10d):
        module.init_process_group, module.destroy_process_group = make_anew, forget
    _instead(make, make_anew)
    _instead(destroy, forget)
    faulthandler.dump_traceback_later(limit * _BEFORE_THE_LIMIT, exit=False)


def _instead(original: Any, other: Any) -> None:
    """Put a function in the place of another one under every name that the script has for it.

    A spawned process has read the script before it comes here, so what the script imported by name is torch's own function. Such a script's names are in no
    module: `runpy` copies them there.
    """
    for names in gc.get_referrers(original):
        if isinstance(names, dict) and "__name__" in names:
            names.update({name: other for name, value in names.items() if value is original})


def meet(together: Sequence[str], rank: int) -> None:
    """Stay until all processes of the training have come here: they may still talk to this one."""
    Path(together[rank]).touch()
    give_up = time.monotonic() + _LONGEST_MEETING
    while not all(map(os.path.exists, together)) and time.monotonic() < give_up:
        time.sleep(0.02)


def end() -> None:
    """End as a script that came to its end, without taking apart what it holds. Does not return."""
    vars(threading)["_shutdown"]()
    atexit._run_exitfuncs()
    _stop()


def end_spawned() -> None:
    """End a process that another one has spawned, behind what its queues still send. Does not return."""
    vars(multiprocessing.util)["_exit_function"]()
    _stop()


def _stop() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
