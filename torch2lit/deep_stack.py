"""Room for programs that are nested deeply."""

from __future__ import annotations

import ast
import contextvars
import ctypes
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from .files.time_limit import TooSlow

Result = TypeVar("Result")

RECURSION_LIMIT = 12_000
STACK_BYTES = 256 * 1024 * 1024
_NAME = "torch2lit deep stack"
_TRIES = 50
_DEEP = 400
"""Levels of nesting that a walk may fail on; code that people write stays below 100."""


def with_deep_stack(function: Callable[[], Result]) -> Result:
    """Call a function in a thread with a raised recursion limit and a stack that can hold it.

    Python's limit alone is not enough: past it, but within a raised limit, the usual stack of 8 MiB would
    overflow and kill the process. What the function raises is raised here.
    """
    if threading.current_thread().name == _NAME:
        return function()
    answers: list[Result] = []
    problems: list[BaseException] = []
    done = threading.Event()  # to wait for: an exception in `join` makes Python take the thread for ended

    def run() -> None:
        try:
            answers.append(function())
        except BaseException as problem:
            problems.append(problem)
        finally:
            done.set()

    usual_limit = sys.getrecursionlimit()
    usual_stack = threading.stack_size(STACK_BYTES)
    try:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name=_NAME, daemon=True)
        sys.setrecursionlimit(max(usual_limit, RECURSION_LIMIT))
        thread.start()
        try:
            done.wait()
        except TooSlow:
            _end(thread, done)
            raise
        thread.join()
    finally:
        threading.stack_size(usual_stack)
        sys.setrecursionlimit(usual_limit)
    if problems:
        raise problems[0]
    return answers[0]


def _end(thread: threading.Thread, done: threading.Event) -> None:
    """Raise TooSlow in a thread, until it ends by it; one that does not within seconds is left to the end of the process."""
    for _ in range(_TRIES):
        if done.is_set() or thread.ident is None:
            break
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(TooSlow))
        done.wait(0.1)


def is_nested_deeply(text: str) -> bool:
    """Whether a program is what a walk through it may find too deep: otherwise the walk went in a circle."""
    try:
        level: list[ast.AST] = [with_deep_stack(lambda: ast.parse(text))]
    except (RecursionError, MemoryError):
        return True
    depth = 0
    while level and depth <= _DEEP:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        depth += 1
    return depth > _DEEP
