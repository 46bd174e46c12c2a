"""Keeps writes of a traced script inside its throw-away copy. Runs in the child, as an audit hook.

The copy links what it does not copy: neighbours of the project, large files, folders full of data. Before
Python opens such a path for writing, the link is replaced by the real thing: a folder by a folder of links,
a file by a copy of it. Writing into the user's own project by absolute path is refused. Writers in C or C++
that Python's audit events do not show are the limit of this; `torch.save` is told of by the tracer.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "torch2lit.write": (0,),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
    "sqlite3.connect": (0,),
}
_NAME_ONLY = {"os.remove", "os.rename", "os.symlink"}


def guard(mirror: str, protected: Sequence[str], tell: Callable[[str], None] = lambda _path: None) -> None:
    """Install the hook for this process. ``mirror`` is the root of the copy, ``protected`` the user's
    folders; ``tell`` is called with each path outside of both.
    """
    sys.addaudithook(_hook(os.path.realpath(mirror), [os.path.realpath(folder) for folder in protected], tell))


def detach(path: str, mirror: str, content: bool = True) -> None:
    """Make writing to ``path`` stay below ``mirror``; with ``content`` False its last part is not
    followed.
    """
    parts = os.path.relpath(os.path.abspath(path), mirror).split(os.sep)
    here = mirror
    for number, part in enumerate(parts):
        here = os.path.join(here, part)
        last = number == len(parts) - 1
        if not os.path.islink(here) or (last and not content):
            continue
        target = os.path.realpath(here)
        if _below(target, mirror):
            detach(os.path.join(target, *parts[number + 1 :]), mirror, content)
            return
        if os.path.isdir(target):
            os.unlink(here)
            link_entries(target, here)
        elif os.path.isfile(target) and last:
            os.unlink(here)
            shutil.copy2(target, here)


def link_entries(source: str, folder: str, leave_out: Sequence[str] = ()) -> None:
    """Make ``folder`` and link every entry of ``source`` into it, in order of name. Unreadable ones are
    left out.
    """
    os.makedirs(folder, exist_ok=True)
    try:
        names = sorted(os.listdir(source))
    except PermissionError:
        return
    for name in names:
        if name not in leave_out:
            os.symlink(os.path.join(source, name), os.path.join(folder, name))


def _hook(mirror: str, protected: Sequence[str], tell: Callable[[str], None]) -> Callable[[str, tuple[Any, ...]], None]:
    busy = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal busy
        if busy or not _writes(event, arguments):
            return
        busy = True
        try:
            for index in _PATHS.get(event, (0,)):
                if isinstance(arguments[index], (str, bytes, os.PathLike)):
                    path = os.path.abspath(os.fsdecode(arguments[index]))
                    if not _kept_inside(path, mirror, protected, event not in _NAME_ONLY):
                        tell(path)
        finally:
            busy = False

    return hook


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool((arguments[2] or 0) & _WRITING)
    return event in _PATHS


def _kept_inside(absolute: str, mirror: str, protected: Sequence[str], content: bool) -> bool:
    """Whether a path that is about to be written lies in the copy. Raises PermissionError for one in the user's project."""
    if _below(absolute, mirror):
        detach(absolute, mirror, content)
        return True
    if any(_below(os.path.realpath(absolute), folder) for folder in protected):
        raise PermissionError(
            f"verify leaves the user's folder as it is, but the script writes to {absolute} by its full path"
        )
    return False


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
