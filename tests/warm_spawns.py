"""Processes that a script spawns, made as quickly as the script's own by tests/nursery.py: clones of a process that stands by.

A spawned process is a new interpreter that imports everything again, which takes seconds. Here a process that has run nothing yet is asked for a
clone of itself that is a child of the script, and the clone does what the new interpreter would be told to do.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import random
import signal
import socket
import sys
from typing import Any, NoReturn

_CLONE_PARENT = 0x8000
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}
_MOST_FDS = 16


def spawns(program: str) -> bool:
    """Whether a program may spawn processes."""
    try:
        with open(program, "rb") as file:
            return b".spawn(" in file.read()
    except OSError:
        return False


def divert() -> None:
    """Let `multiprocessing` ask for clones, from here on."""
    number = _SYS_CLONE.get(os.uname().machine)
    if sys.platform != "linux" or number is None:
        return
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _stand_by(theirs, number)
    theirs.close()
    from multiprocessing import util

    usual = util.spawnv_passfds

    def spawn(path: bytes, arguments: list[str | bytes], handles: list[int]) -> int:
        told = [os.fsdecode(argument) for argument in arguments]
        if not any("spawn_main" in argument for argument in told):
            return int(usual(path, arguments, handles))
        wanted = {"arguments": told, "handles": list(handles), "environment": dict(os.environ)}
        socket.send_fds(ours, [json.dumps(wanted).encode()], list(handles))
        return int(ours.recv(32))

    vars(util)["spawnv_passfds"] = spawn


def _stand_by(asked: socket.socket, number: int) -> NoReturn:
    """Clone this process for each request; the clone does what was asked for."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: to end with the script
    while True:
        told, given, _flags, _from = socket.recv_fds(asked, 1 << 20, _MOST_FDS)
        if not told:
            os._exit(0)
        pid = _clone(number)
        if pid == 0:
            asked.close()
            _begin(json.loads(told), list(given))
        for handle in given:
            os.close(handle)
        asked.sendall(str(pid).encode())


def _clone(number: int) -> int:
    """`os.fork`, but the new process is a child of this one's parent."""
    python = ctypes.pythonapi
    python.PyOS_BeforeFork()
    pid = int(ctypes.PyDLL(None).syscall(number, _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    return pid


def _begin(wanted: dict[str, Any], given: list[int]) -> NoReturn:
    import numpy

    spare = [os.dup(handle) if handle in wanted["handles"] else handle for handle in given]
    for handle, place in zip(spare, wanted["handles"], strict=True):
        os.dup2(handle, place)
    os.environ.clear()
    os.environ.update(wanted["environment"])
    random.seed()
    numpy.random.seed()
    program = wanted["arguments"].index("-c")
    sys.argv = ["-c", *wanted["arguments"][program + 2 :]]
    status: Any = 0
    try:
        exec(wanted["arguments"][program + 1], {"__name__": "__main__"})
    except SystemExit as ended:
        status = ended.code
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status if isinstance(status, int) else 1)
