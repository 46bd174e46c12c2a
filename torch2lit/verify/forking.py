"""Waits with torch imported and forks itself for each run, see `torch2lit.verify.forks`. Runs in the child's interpreter: plain Python only.

A line that comes in is a run: arguments, folder, environment, and where it prints to. A line goes out with its number, and one with its status when it has ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

_LOOK = 0.02


def serve(handle: int, modules: Sequence[str], pin: Callable[[], object]) -> bool:
    """Import torch and ``modules``, and fork for every run that is asked for. True in a run, with its arguments in `sys.argv`; False at the end."""
    pin()
    for name in modules:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else each run looks through all that is imported here whenever it collects
    if len(os.listdir("/proc/self/task")) > 1:
        os._exit(1)  # threads are not forked
    with socket.socket(fileno=handle) as connection, connection.makefile("r", encoding="utf-8") as reader:
        running: set[int] = set()
        while True:
            if select.select([connection], [], [], _LOOK if running else None)[0]:
                line = reader.readline()
                if not line:
                    os._exit(0)
                run: dict[str, Any] = json.loads(line)
                ready, tell = os.pipe()
                pid = os.fork()
                if pid == 0:
                    os.close(ready)
                    break
                os.close(tell)
                os.read(ready, 1)  # it has a session of its own now, by which it can be ended
                os.close(ready)
                running.add(pid)
                _send(connection, {"started": pid})
            while running:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                running.discard(pid)
                _send(connection, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})
    _become(run)
    os.close(tell)
    return True


def _send(connection: socket.socket, answer: dict[str, int]) -> None:
    connection.sendall(json.dumps(answer).encode() + b"\n")


def _become(run: dict[str, Any]) -> None:
    """Be the process that a start of the interpreter would be."""
    os.setsid()
    for handle, path in ((0, os.devnull), (1, run["stdout"]), (2, run["stderr"])):
        opened = os.open(path, os.O_RDONLY if handle == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(opened, handle)
        os.close(opened)
    os.chdir(run["directory"])
    os.environ.clear()
    os.environ.update(run["environment"])
    sys.argv = [sys.argv[0], *run["arguments"]]
