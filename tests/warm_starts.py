"""Runs of `verify` that need not wait for an interpreter: they are forked from a process that has torch and Lightning imported.

A start takes seconds of imports, a run of a test milliseconds. Which tests start warm they say themselves (`usefixtures("warm")`); those of the start
itself, tests/test_verify_runs.py, never do. What is not the same start (another interpreter, another environment) is a cold one, too.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch2lit.verify import run
from torch2lit.verify.ranks import rank_environments

_NURSERY = Path(__file__).with_name("nursery.py")
_OF_IMPORTS = {"PYTORCH_NVML_BASED_CUDA_CHECK", "TORCHINDUCTOR_CACHE_DIR"}
"""What torch and Lightning set themselves when they are imported, as in the process of a test that trains there."""
_OF_ONE_RUN = {"PWD", "PYTEST_CURRENT_TEST", *rank_environments(2)[1], *_OF_IMPORTS}
"""What may be otherwise in the environment of a warm start: no import looks at it, but for the rank, see tests/nursery.py."""
cold_start = run._start


class Nursery:
    """The process that forks, and what it has told of those that it forked."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(_NURSERY), str(theirs.fileno())],
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._rest = b""
        self._ready = False
        self._started: list[int] = []
        self._ended: dict[int, int] = {}
        while not self._ready:
            self._listen(None)

    def start(self, command: list[str], folder: Path, environment: dict[str, str], scratch: Path) -> Forked:
        """Fork a process that runs a program."""
        wanted = {
            "command": command,
            "folder": str(folder),
            "environment": environment,
            "stdout": str(scratch / "stdout"),
            "stderr": str(scratch / "stderr"),
        }
        self._ours.sendall(json.dumps(wanted).encode() + b"\n")
        while not self._started:
            self._listen(None)
        return Forked(self, self._started.pop())

    def status(self, pid: int, within: float | None) -> int | None:
        """The exit status of a process, None when it has not ended within so many seconds."""
        deadline = time.monotonic() + (within or 0.0)
        while pid not in self._ended:
            left = None if within is None else max(0.0, deadline - time.monotonic())
            if not self._listen(left) and left is not None and time.monotonic() >= deadline:
                return None
        return self._ended[pid]

    def _listen(self, within: float | None) -> bool:
        if not select.select([self._ours], [], [], within)[0]:
            return False
        told = self._ours.recv(65536)
        if not told:
            raise RuntimeError("the process that forks is gone")
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in lines:
            answer: dict[str, Any] = json.loads(line)
            if "ready" in answer:
                self._ready = True
            elif "started" in answer:
                self._started.append(answer["started"])
            else:
                self._ended[answer["ended"]] = answer["status"]
        return True

    def close(self) -> None:
        """End it, and with it all that it forked."""
        self._ours.close()
        self._process.kill()
        self._process.wait()


class Forked:
    """A forked process, as `subprocess.Popen` shows one."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid, 0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, as soon as there is one."""
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid, timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode


class Kernel(Forked):
    """A forked process as `jupyter_client` wants one."""

    stdin = stdout = stderr = None

    def send_signal(self, number: int) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    terminate = kill


def kernel(command: Sequence[str], cwd: str, **_: Any) -> Kernel:
    """What `jupyter_client.launcher.launch_kernel` starts, ``python -m ipykernel_launcher ...``, forked."""
    _interpreter, dash_m, module, *arguments = (word for word in command if not word.startswith("-X"))
    assert (dash_m, module) == ("-m", "ipykernel_launcher"), command
    program = find_spec(module)
    assert program is not None and program.origin is not None
    scratch = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    nursery = _nursery(_plain())
    pid = nursery.start([program.origin, *arguments], Path(cwd), dict(_plain()), scratch).pid
    while os.getpgid(pid) != pid:  # its group is what will be ended, which must not be the group of the tests
        time.sleep(0.001)
    return Kernel(nursery, pid)


@functools.cache
def _nursery(kept: frozenset[tuple[str, str]]) -> Nursery:
    nursery = Nursery(dict(kept))
    atexit.register(nursery.close)
    return nursery


def be_ready() -> None:
    """Wait until starts are warm: what a test gives a run does not pay for the imports."""
    _nursery(_plain())


@functools.cache
def _plain() -> frozenset[tuple[str, str]]:
    return _kept(run._environment(os.environ))


def _kept(environment: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((key, value) for key, value in environment.items() if key not in _OF_ONE_RUN)


def start(wanted: run._Start, directory: Path, stack: ExitStack) -> Any:
    """What `torch2lit.verify.run` starts, forked where that is the same."""
    interpreter, *command = wanted.command
    environment = dict(wanted.environment)
    if interpreter != sys.executable or wanted.terminal or otherwise(environment):
        return cold_start(wanted, directory, stack)
    return _nursery(_kept(environment)).start(command, directory, environment, wanted.scratch)


def otherwise(environment: Mapping[str, str]) -> set[str]:
    """The variables that make a start a cold one."""
    return {name for name, _value in _kept(environment) ^ _plain()} - {"PYTHONHASHSEED"}


def python(script: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What ``python SCRIPT ARGUMENTS`` does in the folder of a script, forked; ``variables`` are of a rank, see `torch2lit.verify.ranks`."""
    (done,) = side_by_side(script, *arguments, variables=[variables])
    return done


def side_by_side(
    script: Path, *arguments: str, variables: Sequence[Mapping[str, str]], timeout: float = 300.0
) -> list[subprocess.CompletedProcess[str]]:
    """The same in as many processes at once as there are ``variables``."""
    command = [sys.executable, str(script), *arguments]
    with ExitStack() as stack:
        starts = [
            run._Start(command, {**dict(_plain()), **own}, Path(stack.enter_context(tempfile.TemporaryDirectory())))
            for own in variables
        ]
        ends = run._wait(starts, script.parent, timeout, lambda: None)
        told = [[(one.scratch / name).read_text("utf-8") for name in ("stdout", "stderr")] for one in starts]
    return [subprocess.CompletedProcess(command, end[0], *texts) for end, texts in zip(ends, told, strict=True)]
