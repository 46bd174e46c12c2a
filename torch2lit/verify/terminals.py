"""A terminal to read from, for scripts that ask one how wide it is (``stty size``) and fail where there is none."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from .workspace import project_of

_WORD = b"stty"
_MOST_FILES = 2000
_ROWS, _COLUMNS = 24, 80
_END_OF_INPUT = b"\x04" * 64
"""What is typed: nobody waits for input, as without a terminal."""


def ask_for_terminal(scripts: Sequence[Path]) -> bool:
    """Whether these scripts, or files beside them in their projects, ask a terminal for its size."""
    return os.name == "posix" and mentions(scripts, [_WORD], unread=False)


def mentions(scripts: Sequence[Path], words: Sequence[bytes], *, unread: bool) -> bool:
    """Whether one of these words stands in the scripts or in Python files of their projects; ``unread`` where there are too many to be read."""
    count = 0
    for file in (*scripts, *(file for script in scripts for file in _beside(script))):
        text = _content(file)
        if any(word in text for word in words):
            return True
        count += 1
    return unread and count > _MOST_FILES


def _beside(script: Path) -> Iterator[Path]:
    count = 0
    for folder, below, names in os.walk(project_of(script)):
        below[:] = [name for name in sorted(below) if not name.startswith(".")]
        for name in names:
            if name.endswith(".py"):
                count += 1
                yield Path(folder, name)
        if count > _MOST_FILES:
            return


def _content(file: Path) -> bytes:
    with suppress(OSError):
        return file.read_bytes()
    return b""


@contextmanager
def terminal(wanted: bool) -> Iterator[int]:
    """What a process reads from: a terminal of usual size, else nothing."""
    if not wanted:
        yield subprocess.DEVNULL
        return
    import fcntl
    import struct
    import termios

    ours, theirs = os.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        os.write(ours, _END_OF_INPUT)
        yield theirs
    finally:
        os.close(theirs)
        os.close(ours)
