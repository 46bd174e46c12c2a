"""Temporary files beside those that they are to replace, and what a killed run left of them."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_SUFFIX = ".t2l-tmp"
_OWN = re.compile(rf"\..*\.(\d+)-[0-9a-f]{{16}}{re.escape(_SUFFIX)}", re.DOTALL)
_LONGEST_PART = 120
"""Bytes of the file's own name in that of its temporary file: both must fit into a folder."""
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class Temporary:
    """A temporary file: open, and locked as long as its process lives."""

    path: str
    file: IO[bytes]


@contextlib.contextmanager
def temporary_beside(target: Path) -> Iterator[Temporary]:
    """A new file in the folder of another one; it is gone in the end unless it was renamed. Raises OSError."""
    part = os.fsdecode(os.fsencode(target.name)[:_LONGEST_PART])
    path = os.path.join(target.parent, f".{part}.{os.getpid()}-{secrets.token_hex(8)}{_SUFFIX}")
    handle = os.open(path, _FLAGS | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            lock(handle)
            yield Temporary(path, file)
            if os.name == "posix":
                _remove(path)
    finally:
        # Some systems do not remove a file that is open.
        _remove(path)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove what killed runs left in folders: files of the shape that only this module makes, whose process is gone."""
    for folder in sorted(set(folders)):
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(folder)):
                if name.endswith(_SUFFIX) and (found := _OWN.fullmatch(name)):
                    _remove_leftover(os.path.join(folder, name), int(found[1]))


def _remove_leftover(path: str, process: int) -> None:
    with contextlib.suppress(OSError):
        state = os.lstat(path)
        if not stat.S_ISREG(state.st_mode) or is_running(process):
            return
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            # A process of another machine can share the folder: it holds the lock.
            if lock(handle):
                os.unlink(path)
        finally:
            os.close(handle)


def is_running(process: int) -> bool:
    """Whether there is a process of this number, whoever it belongs to."""
    if os.name != "posix":
        return True  # asking would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    except OverflowError:
        return False
    return True


def lock(handle: Any) -> bool:
    """Take the lock of an open file, which goes with its process; False when another process has it, or where there are none."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
