"""The rows of the safety table: a situation, what is promised for it, and a function that brings it about and checks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

SCRIPT = """\
import torch

model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 4)), batch_size=4)
for epoch in range(2):
    for (x,) in loader:
        optimizer.zero_grad()
        loss = model(x).mean()
        loss.backward()
        optimizer.step()
"""
SECONDS = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. ``needs`` names what the machine must have: posix, root, user, linux."""

    area: str
    situation: str
    promise: str
    check: Callable[[Path], None] = field(compare=False)
    needs: tuple[str, ...] = ()


ROWS: list[Row] = []


def row(area: str, situation: str, promise: str, *needs: str) -> Callable[[Callable[[Path], None]], None]:
    """Add a row whose check is the function below; it gets an empty folder."""

    def add(check: Callable[[Path], None]) -> None:
        ROWS.append(Row(area, situation, promise, check, needs))

    return add


@dataclass(frozen=True, slots=True)
class Answer:
    """How a run of the program ended."""

    code: int
    out: bytes
    err: str

    @property
    def said(self) -> str:
        """The error messages, without the hint that click puts above them."""
        return "\n".join(line for line in self.err.splitlines() if line and not line.startswith(("Usage:", "Try ")))


def program(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
) -> Answer:
    """Run the program in a folder, as users do. It must end in time and never show a traceback."""
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder, **(env or {})),
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    answer = Answer(done.returncode, done.stdout or b"", done.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in answer.err and "Exception ignored" not in answer.err, answer.err
    return answer


def command(*arguments: str) -> list[str]:
    """How the program is called."""
    return [sys.executable, "-m", "torch2lit", *arguments]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a run, with a home of its own."""
    return {**os.environ, "HOME": str(folder.parent), "NO_COLOR": "1", **more}


def put(folder: Path, name: str = "train.py", text: str | bytes = SCRIPT) -> Path:
    """Write a file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    names = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def repository(folder: Path) -> Path:
    """A repository that holds the script clean."""
    path = put(folder)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return path


def is_converted(path: Path) -> bool:
    """Whether a script has been converted."""
    return b"Trainer(" in path.read_bytes()


def trap(folder: Path, name: str = "trap.sh") -> tuple[Path, Path]:
    """A program that leaves a mark when it is run, and the mark."""
    mark = folder.parent / "was-run"
    script = folder.parent / name
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    return script, mark


def alive(marker: str) -> list[int]:
    """The processes whose environment holds a text."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (
                    marker.encode() in (entry / "environ").read_bytes()
                    and b"Z" not in (entry / "stat").read_bytes()[-400:]
                ):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether something comes to hold in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


def _hear_all() -> None:
    """Take signals as a shell's program does: tests that `nohup` has started would hand on that SIGHUP is ignored."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def stopped(folder: Path, number: signal.Signals, arguments: Sequence[str], ready: Callable[[], bool]) -> int:
    """Start the program, send it a signal when it is at work, and give its exit status once nothing of it runs any more."""
    marker = f"T2L_MARK={folder.name}-{number}"
    key, _, value = marker.partition("=")
    process = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(folder, **{key: value}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=_hear_all,
    )
    assert wait_until(ready), "it did not come to work"
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert b"Traceback" not in err, err.decode()
    assert wait_until(lambda: not alive(marker), 20), f"left behind: {alive(marker)}"
    return process.returncode
