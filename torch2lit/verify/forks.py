"""Runs as forks of one process that has imported torch: two runs pay for that once, and the conversion is made meanwhile.

What a run is told, and what it makes of itself, is its own: it is forked from a process that has run nothing yet. Where a fork is not the same as a start of the
interpreter (another environment, threads, another system), the run is started as usual.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .terminals import mentions

_CHILD = Path(__file__).with_name("child.py")
_OF_ONE_RUN = ("PWD",)
_LONGEST_IMPORT = 120.0
"""Seconds after which a run is started as usual."""
_LATER = "torch._dynamo"
"""What torch imports when an optimizer steps first."""
_READS_AT_IMPORT = (b"TORCH", b"_dynamo")
"""In a project without these words nothing tells torch what it is to do when that is imported."""


class Launcher:
    """The process that forks. Use it in a ``with`` statement; it ends with the block."""

    def __init__(self, python: str, environment: Mapping[str, str], scripts: Sequence[Path]) -> None:
        self._python = python
        self._environment = _kept(environment)
        self._scripts = scripts
        self._ours: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._answers: list[dict[str, Any]] = []
        self._ended: dict[int, int] = {}

    def __enter__(self) -> Launcher:
        if sys.platform == "linux" and not self._environment.get("PYTHONPATH"):
            self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._ours is not None:
            self._ours.close()
            self._ours = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _begin(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs, suppress(OSError):
            early = [] if mentions(self._scripts, _READS_AT_IMPORT, unread=True) else [_LATER]
            self._process = subprocess.Popen(
                [self._python, str(_CHILD), "--fork", str(theirs.fileno()), *early],
                env=self._environment,
                pass_fds=[theirs.fileno()],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], directory: Path, scratch: Path
    ) -> Forked | None:
        """Fork a run that has these arguments; None where it is to be started as usual."""
        if self._process is None or _kept(environment) != self._environment:
            return None
        wanted = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "directory": str(directory),
            "stdout": str(scratch / "stdout"),
            "stderr": str(scratch / "stderr"),
        }
        try:
            if self._ours is None:
                return None
            self._ours.sendall(json.dumps(wanted).encode() + b"\n")
            give_up = time.monotonic() + _LONGEST_IMPORT
            while not self._answers:
                if time.monotonic() > give_up:
                    raise TimeoutError
                self.listen(1.0)
        except OSError:  # it could not import torch, or has threads, or was killed
            self._end()
            return None
        return Forked(self, self._answers.pop(0)["started"])

    def status(self, pid: int) -> int | None:
        """The exit status of a run, None while it goes on. Raises OSError when nobody will tell."""
        return self._ended.get(pid)

    def listen(self, within: float | None) -> None:
        """Take in what the process has to tell, within so many seconds. Raises OSError when it is gone."""
        if self._ours is None:
            raise OSError("closed")
        if not select.select([self._ours], [], [], within)[0]:
            return
        told = self._ours.recv(65536)
        if not told:
            raise OSError("the process that forks is gone")
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in lines:
            answer: dict[str, Any] = json.loads(line)
            if "started" in answer:
                self._answers.append(answer)
            else:
                self._ended[answer["ended"]] = answer["status"]


class Forked:
    """A forked run, as `subprocess.Popen` shows one."""

    def __init__(self, launcher: Launcher, pid: int) -> None:
        self._launcher = launcher
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, None while it runs."""
        self._look(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, as soon as there is one. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._look(left)
            if self.returncode is None and deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode

    def kill(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, 9)

    def _look(self, within: float | None) -> None:
        if self.returncode is None:
            try:
                if self._launcher.status(self.pid) is None:
                    self._launcher.listen(within)
                self.returncode = self._launcher.status(self.pid)
            except OSError:  # with the process that forks all of its runs end
                self.returncode = -9


def _kept(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in _OF_ONE_RUN}
