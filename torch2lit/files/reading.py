"""The one door through which a user's file is read: regular files only, none that is endless or too large."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .asked import note_content
from .errors import NotAFile

LARGEST = 256 * 1024**2
_PART = 1024**2
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_file(path: Path | str, limit: int = LARGEST) -> bytes:
    """The bytes of a regular file.

    Raises OSError; for anything else than a file (a pipe would be waited for, a device read without end, or started by being opened)
    and for a file above the limit it is NotAFile.
    """
    try:
        data = _read(path, limit)
    except OSError:
        note_content(path, None)
        raise
    note_content(path, data)
    return data


def _read(path: Path | str, limit: int) -> bytes:
    check_kind(os.stat(path).st_mode)
    handle = os.open(path, _FLAGS | getattr(os, "O_BINARY", 0))
    try:
        state = os.fstat(handle)
        check_kind(state.st_mode)
        if state.st_size > limit:
            raise NotAFile(f"the file is larger than {limit // 1024**2} MiB")
        data = _to_the_end(handle, state.st_size, limit)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise NotAFile(f"the file is larger than {limit // 1024**2} MiB")
    return data


def _to_the_end(handle: int, size: int, limit: int) -> bytes:
    """What is read up to the end, or up to a little more than may be: a file of /proc says that it is empty, and one that grows holds more than it said."""
    data = os.read(handle, size + 1)
    if not data or not (more := os.read(handle, _PART)):
        return data
    parts, length = [data, more], len(data) + len(more)
    while length <= limit and (more := os.read(handle, _PART)):
        parts.append(more)
        length += len(more)
    return b"".join(parts)


def check_kind(mode: int) -> None:
    """Raise NotAFile for the mode of anything but a regular file."""
    if not stat.S_ISREG(mode):
        raise NotAFile(
            f"{next((name for is_kind, name in _KINDS if is_kind(mode)), 'something else')}, not a regular file"
        )


def reason_of(error: OSError) -> str:
    """What an error of the system says, for a message."""
    return error.strerror or str(error)


def read_text(path: Path | str, encoding: str = "utf-8", limit: int = LARGEST) -> str:
    """The text of a regular file with ``\\n`` for every newline. Raises OSError and UnicodeDecodeError."""
    return read_file(path, limit).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
