"""What `verify` does at the moment, on one line of a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TextIO

Watch = Callable[[str, int, float], None]
"""Told again and again: which run, how many optimizer steps it has done, for how many seconds it runs."""
_STEP = b'{"event": "Step"'


def quiet(_name: str, _steps: int, _seconds: float) -> None:
    """Show nothing."""


class Line:
    """A line on a terminal that is written anew each time, and is gone in the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, name: str, steps: int, seconds: float) -> None:
        told = f"{steps:,} step{'' if steps == 1 else 's'}" if steps else "no step yet"
        self._write(f"{name.replace('-', ' ')} run: {told}, {seconds:.0f} s")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\033[K{text}")
        self._stream.flush()


class StepCounter:
    """Counts the steps in a file of events that grows."""

    def __init__(self, events: Path) -> None:
        self._events = events
        self._read = 0
        self._rest = b""
        self.steps = 0

    def count(self) -> int:
        """The optimizer steps that the file tells of by now."""
        try:
            with self._events.open("rb") as file:
                file.seek(self._read)
                new = file.read()
        except OSError:
            return self.steps
        self._read += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self.steps += sum(line.startswith(_STEP) for line in lines)
        return self.steps
