"""What belongs to a file besides its bytes and its mode."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

_NOT_THERE = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP) if hasattr(errno, "ENODATA") else (errno.ENOTSUP,)


def copy_metadata(source: Path, handle: int) -> tuple[str, ...]:
    """Give an open file the owner and the extended attributes of another one, access lists among them.

    The answer says what could not be kept. The mode comes afterwards: a new owner takes bits of it away.
    """
    lost = _copy_owner(os.stat(source), handle)
    if not hasattr(os, "listxattr"):
        return lost
    there = _attributes(source)
    for name in sorted(_attributes(handle) - there):  # such as the access list that a folder gives to new files
        with contextlib.suppress(OSError):
            os.removexattr(handle, name)
    gone = []
    for name in sorted(there):
        try:
            value = os.getxattr(source, name)
            if _value(handle, name) != value:
                os.setxattr(handle, name, value)
        except OSError as error:
            if error.errno not in _NOT_THERE:
                gone.append(name)
    return (*lost, *(f"the extended attribute {name}" for name in gone))


def lost_names(count: int) -> tuple[str, ...]:
    """What is lost when a file with more than one name is replaced under one of them."""
    what = "1 other name (hard link)" if count == 1 else f"{count} other names (hard links)"
    return (f"its {what}, which still {'holds' if count == 1 else 'hold'} the original",)


def _copy_owner(old: os.stat_result, handle: int) -> tuple[str, ...]:
    new = os.fstat(handle)
    lost = []
    # One who may not give a file away may often still give it to a group of theirs.
    for name, before, now in (("group", old.st_gid, new.st_gid), ("owner", old.st_uid, new.st_uid)):
        if before != now:
            try:
                os.chown(handle, *((-1, before) if name == "group" else (before, -1)))
            except OSError:
                lost.append(f"its {name} ({before}, now {now})")
    return tuple(lost)


def _attributes(file: Path | int) -> set[str]:
    try:
        return set(os.listxattr(file))
    except OSError:
        return set()


def _value(handle: int, name: str) -> bytes | None:
    try:
        return os.getxattr(handle, name)
    except OSError:
        return None
