"""The one door through which anything is written."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import WriteError

IsHeld = Callable[[Path, bytes], bool]
_NEW_FILE_MODE = 0o666


def write_file(path: Path, data: bytes, *, expected: bytes | None, is_held: IsHeld) -> Path | None:
    """Replace or create a file in one step: at any moment it holds either the old bytes or the new ones.

    ``expected`` is what the file held when it was read, None when it must not exist yet. A symlink stays and
    its target is written; mode and owner stay. An original that ``is_held`` does not vouch for is kept beside
    it as ``NAME.orig``.

    Returns where the original was kept, None when it was not. Raises WriteError when nothing was written: the
    file was edited meanwhile, is read-only, or the system said no.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = _mode_to_give(target, expected)
        temporary = _write_beside(target, data, mode)
        try:
            _check_unedited(target, expected)
            kept = None if expected is None or is_held(target, expected) else _keep_original(target, expected, mode)
            if expected is None:
                _create(temporary, target)
            else:
                _check_unedited(target, expected)
                os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        raise WriteError(f"cannot write: {error.strerror or error}") from error
    return kept


def _mode_to_give(target: Path, expected: bytes | None) -> int:
    if expected is None:
        mask = os.umask(0)
        os.umask(mask)
        return _NEW_FILE_MODE & ~mask
    mode = stat.S_IMODE(os.stat(target).st_mode)
    if not mode & 0o222 or not os.access(target, os.W_OK):
        raise WriteError("cannot write: the file is read-only")
    return mode


def _write_beside(target: Path, data: bytes, mode: int) -> str:
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".t2l-tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if os.name == "posix":
                _keep_owner(file.fileno(), target)
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _keep_owner(handle: int, target: Path) -> None:
    with contextlib.suppress(OSError):
        old, new = os.stat(target), os.fstat(handle)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.chown(handle, old.st_uid, old.st_gid)


def _check_unedited(target: Path, expected: bytes | None) -> None:
    if expected is None:
        if target.exists():
            raise WriteError("not written: the file appeared meanwhile")
        return
    try:
        found = target.read_bytes()
    except FileNotFoundError as error:
        raise WriteError("not written: the file was removed meanwhile") from error
    if found != expected:
        raise WriteError("not written: the file was edited meanwhile")


def _create(temporary: str, target: Path) -> None:
    # A hard link fails when the name is taken, which os.replace would not notice.
    try:
        os.link(temporary, target)
    except FileExistsError as error:
        raise WriteError("not written: the file appeared meanwhile") from error
    except OSError:
        os.replace(temporary, target)
    else:
        os.unlink(temporary)


def _keep_original(target: Path, data: bytes, mode: int) -> Path:
    number = 0
    while True:
        kept = target.with_name(f"{target.name}.orig" + (f".{number}" if number else ""))
        try:
            if kept.read_bytes() == data:
                return kept
        except FileNotFoundError:
            temporary = _write_beside(kept, data, mode)
            try:
                _create(temporary, kept)
            except WriteError:
                os.unlink(temporary)
                continue
            return kept
        number += 1


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
