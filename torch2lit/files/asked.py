"""What a conversion asks of the file system, noted where somebody wants to know later whether it would be told the same.

A conversion depends on more than its own file: modules that it imports, files that import it, the absence of both. Whoever looks
around in a project while a file is converted does it by these functions and by `read_file`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

_ASKED: ContextVar[Asked | None] = ContextVar("what this conversion asked", default=None)
_UNREADABLE = "unreadable"


@dataclass(slots=True)
class Asked:
    """Questions and answers by path: contents of files (their digest), kinds of paths, names in folders (their digest)."""

    contents: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def noting() -> Iterator[Asked]:
    """Note what is asked in the block."""
    asked = Asked()
    token = _ASKED.set(asked)
    try:
        yield asked
    finally:
        _ASKED.reset(token)


def note_content(path: Path | str, data: bytes | None) -> None:
    """A file was read, with this content; None when it could not be."""
    if (asked := _ASKED.get()) is not None:
        asked.contents[os.path.abspath(path)] = digest_of(data)


def is_file(path: Path | str) -> bool:
    """Whether a path is a file."""
    return _kind(path) == "file"


def exists(path: Path | str) -> bool:
    """Whether there is anything at a path."""
    return bool(_kind(path))


def entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """What stands in a folder, by name; nothing when it cannot be read."""
    found: list[os.DirEntry[str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as inside:
        found = sorted(inside, key=lambda entry: entry.name)
    if (asked := _ASKED.get()) is not None:
        asked.names[os.path.abspath(folder)] = _digest_of_names(found)
    return found


def digest_of(data: bytes | None) -> str:
    """What stands for the content of a file."""
    return _UNREADABLE if data is None else hashlib.sha256(data).hexdigest()


def kind_of(path: str) -> str:
    """file, folder, other, or "" for nothing."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def names_in(folder: str) -> str:
    """What stands for the names in a folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as inside:
        return _digest_of_names(sorted(inside, key=lambda entry: entry.name))
    return _digest_of_names([])


def _kind(path: Path | str) -> str:
    kind = kind_of(os.fspath(path))
    if (asked := _ASKED.get()) is not None:
        asked.kinds[os.path.abspath(path)] = kind
    return kind


def _digest_of_names(found: list[os.DirEntry[str]]) -> str:
    told = hashlib.sha256()
    for entry in found:
        kind = "-"
        with contextlib.suppress(OSError):
            kind = "d" if entry.is_dir(follow_symlinks=False) else "f" if entry.is_file() else "o"
        told.update(os.fsencode(entry.name) + b"\0" + kind.encode())
    return told.hexdigest()
