"""A process that has imported what every training imports and forks itself for each script; tests/warm_starts.py starts it.

Called as ``python nursery.py HANDLE``, a socket. A line that comes in is a start: the program and its arguments, the folder, the environment, and where
stdout and stderr go. A line goes out when all is imported, with the number of each process that was forked, and one with its status when it has ended.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import runpy
import select
import socket
import sys
import threading
import types
from typing import Any, NoReturn

import warm_spawns

# torch._dynamo is what the first step of an optimizer imports
_EVERYTHING = ("torch", "torch._dynamo", "torch.distributed", "numpy", "lightning", "lightning.pytorch.loops")
_LOOK = 0.02
_GROUPS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "torch2lit", "verify", "groups.py")


def _serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork for every start that comes in. None at the end; in a process that was forked, what it is to run."""
    _send(connection, {"ready": os.getpid()})
    reader = connection.makefile("r", encoding="utf-8")
    running: set[int] = set()
    while True:
        ready, _, _ = select.select([connection], [], [], _LOOK if running else None)
        if ready:
            line = reader.readline()
            if not line:
                return None
            pid = os.fork()
            if pid == 0:
                start: dict[str, Any] = json.loads(line)
                reader.close()
                connection.close()
                return start
            running.add(pid)
            _send(connection, {"started": pid})
        while running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            running.discard(pid)
            _send(connection, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _send(connection: socket.socket, answer: dict[str, int]) -> None:
    connection.sendall(json.dumps(answer).encode() + b"\n")


def _become(start: dict[str, Any]) -> None:
    """Be the process that ``python PROGRAM ARGUMENTS`` would be in that folder and environment."""
    os.setsid()
    for handle, path in ((0, os.devnull), (1, start["stdout"]), (2, start["stderr"])):
        opened = os.open(path, os.O_RDONLY if handle == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(opened, handle)
        os.close(opened)
    os.chdir(start["folder"])
    os.environ.clear()
    os.environ.update(start["environment"])
    sys.argv = start["command"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    random.seed()
    importlib.import_module("numpy").random.seed()
    ranks = importlib.import_module("lightning.fabric.utilities.rank_zero")
    ranks.rank_zero_only.rank = ranks._get_rank() or 0  # what the import looks for in the environment


def import_everything() -> None:
    """Import what scripts import, once for all that are forked."""
    for name in _EVERYTHING:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # else each process looks through all that is imported here whenever it collects, which takes seconds


def _end(before: set[str]) -> NoReturn:
    """End as a script does that came to its end, without taking apart what this file has imported: that takes longer than most scripts."""
    vars(threading)["_shutdown"]()
    atexit._run_exitfuncs()
    runpy.run_path(_GROUPS)["keep_groups"]()
    for name in set(sys.modules) - before | {"__main__"}:
        if (module := sys.modules[name]) is not None:
            vars(module).clear()
    gc.collect()  # files that nobody closed are written to their end
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def run(start: dict[str, Any]) -> NoReturn:
    """Be a process that was forked for a start, to its end."""
    _become(start)
    if any(map(warm_spawns.spawns, sys.argv)):
        warm_spawns.divert()
    program = types.ModuleType("__main__")
    program.__file__ = sys.argv[0]
    sys.modules["__main__"] = program
    with open(sys.argv[0], encoding="utf-8") as text:
        code = compile(text.read(), sys.argv[0], "exec")
    imported = set(sys.modules)
    exec(code, vars(program))
    _end(imported)


if __name__ == "__main__":
    import_everything()
    started = _serve(socket.socket(fileno=int(sys.argv[1])))
    if started is not None:
        run(started)
