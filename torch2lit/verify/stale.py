"""The folder that a proof works in, and those that killed proofs left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from torch2lit.files.temporary import lock

from .workspace import OWN_PREFIX

_LOCK = "lock"


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A new folder among the temporary files, gone in the end; first those go whose proof was killed."""
    _remove_stale(tempfile.gettempdir())
    root = Path(tempfile.mkdtemp(prefix=OWN_PREFIX)).resolve()
    try:
        with (root / _LOCK).open("wb") as held:
            lock(held)
            yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _remove_stale(place: str) -> None:
    """Remove folders of this shape and user whose lock nobody holds."""
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(place)):
            if name.startswith(OWN_PREFIX):
                _remove_unlocked(os.path.join(place, name))


def _remove_unlocked(folder: str) -> None:
    with contextlib.suppress(OSError):
        state = os.lstat(folder)
        if not stat.S_ISDIR(state.st_mode) or (hasattr(os, "getuid") and state.st_uid != os.getuid()):
            return
        handle = os.open(os.path.join(folder, _LOCK), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if lock(handle):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)
