"""The same work on many files, in as many processes as asked for, in the order of the files."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from .options import Options
from .process import Processed, process_file
from .process_python import failed
from .stopping import end_if_stopped, stopping_signals

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

Work = Callable[[Path, Options], Processed]


def process_files(
    paths: Sequence[Path],
    options: Sequence[Options],
    jobs: int | None = None,
    context: BaseContext | None = None,
    work: Work = process_file,
    tell: Callable[[], object] = lambda: None,
) -> list[Processed]:
    """Convert files in memory, each with its options. ``jobs`` is the number of processes, None for one per usable CPU.

    Only paths and texts travel between processes. A file whose process dies counts as failed; the others are
    done. ``work`` is what is done with each file; ``tell`` is called after each.
    """
    workers = min(jobs or usable_cpus(), len(paths))
    if workers <= 1:
        return [_told(work(path, its), tell) for path, its in zip(paths, options, strict=True)]
    return _in_pool(work, paths, options, workers, context, tell)


def _told(processed: Processed, tell: Callable[[], object]) -> Processed:
    tell()
    return processed


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_pool(
    work: Work,
    paths: Sequence[Path],
    options: Sequence[Options],
    workers: int,
    context: BaseContext | None,
    tell: Callable[[], object],
) -> list[Processed]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = context or multiprocessing.get_context()
    if context.get_start_method() == "fork":
        _load_engine()
    results: dict[int, Processed] = {}
    with _ended_with_us(), ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        with _stops_wait():
            futures = [pool.submit(work, path, its) for path, its in zip(paths, options, strict=True)]
        for number, future in enumerate(futures):
            try:
                results[number] = _told(future.result(), tell)
            except BrokenProcessPool:
                end_if_stopped()
                continue
    # One process that died takes the pool with it: give each file that is left a process of its own.
    for number, (path, its) in enumerate(zip(paths, options, strict=True)):
        if number not in results:
            end_if_stopped()
            results[number] = _alone(work, path, its, context)
    return [results[number] for number in range(len(paths))]


def _load_engine() -> None:
    """Import, before the fork, what each worker would import for its first script: to do so takes longer than most scripts."""
    from . import by_fabric, catalogue, engine, project, search  # noqa: F401


@contextmanager
def _stops_wait() -> Iterator[None]:
    """Hear of a stop behind the block: Python runs code around a fork that drops an exception, and says so on stderr."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stopping_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _ended_with_us() -> Iterator[None]:
    """End the processes at once when this one is stopped while they work, instead of waiting for them."""
    from multiprocessing import active_children

    others = set(active_children())

    def stopped(number: int, frame: FrameType | None) -> None:
        for child in set(active_children()) - others:
            child.kill()
        before[number](number, frame)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in stopping_signals():
            if callable(handler := signal.getsignal(number)):
                before[number] = handler
                signal.signal(number, stopped)
    try:
        yield
    finally:
        for changed, handler in before.items():
            if signal.getsignal(changed) is stopped:
                signal.signal(changed, handler)


def _begin_worker() -> None:
    """Make a new process end with the one that started it, however that ends, and leave it to that one to be interrupted."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):  # made while stops wait
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stopping_signals())
    parent = parent_process()
    if parent is not None:

        def follow(sentinel: int = parent.sentinel) -> None:
            wait([sentinel])
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _alone(work: Work, path: Path, options: Options, context: BaseContext) -> Processed:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    with _ended_with_us(), ProcessPoolExecutor(1, mp_context=context, initializer=_begin_worker) as pool:
        try:
            with _stops_wait():
                future = pool.submit(work, path, options)
            return future.result()
        except BrokenProcessPool:
            return Processed(failed(path.as_posix(), "internal error: the process that converted it died"))
