"""Takes note of what a traced script writes by its full path outside of the copy. Runs in the child: plain Python only.

Such files are the user's real ones, or will be. Not told of are devices, files that `tempfile` makes, and what packages keep in hidden
folders of the home folder and beside the interpreter.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

_MOST = 50
_SYSTEM = ("/dev", "/proc", "/sys", "/run")
_MADE = ("tempfile.mkstemp", "tempfile.mkdtemp")
_TORCHS = "torch"
"""How torch's own files in the folder of temporary files begin: kernels that it compiles, sockets of its workers."""


class Outside:
    """Writes each such path once, with a zero byte behind it, to the end of a file of the tool's own."""

    def __init__(self, notes: str, stage: str) -> None:
        self.handle = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        places = [stage, *_SYSTEM, sys.prefix, sys.base_prefix, *os.environ.get("XDG_CACHE_HOME", "").split(os.pathsep)]
        self.known = [os.path.realpath(place) for place in places if place]
        self.temporary = os.path.realpath(tempfile.gettempdir())
        self.home = os.path.realpath(os.path.expanduser("~"))
        self.told: set[str] = set()
        sys.addaudithook(self._note_temporary)

    def tell(self, path: str) -> None:
        """Take note of a path that is written."""
        real = os.path.realpath(path)
        if real in self.told or len(self.told) == _MOST or self._is_nobodys(real):
            return
        self.told.add(real)
        os.write(self.handle, os.fsencode(real) + b"\0")

    def _note_temporary(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _MADE and isinstance(arguments[0], str | bytes):
            self.known.append(os.path.realpath(os.fsdecode(arguments[0])))

    def _is_nobodys(self, real: str) -> bool:
        return (
            real in (self.home, self.temporary)
            or _inside(real, self.home).startswith(".")
            or _inside(real, self.temporary).startswith(_TORCHS)
            or any(real == place or _inside(real, place) for place in self.known)
        )


def _inside(path: str, folder: str) -> str:
    """A path as seen from a folder above it, "" when it is not below."""
    start = folder.rstrip(os.sep) + os.sep
    return path[len(start) :] if path.startswith(start) else ""


def told_in(notes: bytes) -> list[str]:
    """The paths in such a file, each once, sorted."""
    return sorted({os.fsdecode(path) for path in notes.split(b"\0") if path})
