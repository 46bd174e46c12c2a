"""The one door through which anything is written."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import NotAFile, WriteError
from .metadata import copy_metadata, lost_names
from .reading import check_kind, read_file, reason_of
from .temporary import Temporary, temporary_beside

IsHeld = Callable[[Path, bytes], bool]
_NEW_FILE_MODE = 0o666
_MOST_ORIGINALS = 1000


@dataclass(frozen=True, slots=True)
class Written:
    """Where the original was kept, None when it was not, and what of the file's metadata could not be."""

    original: Path | None = None
    lost: tuple[str, ...] = ()


def write_file(path: Path, data: bytes, *, expected: bytes | None, is_held: IsHeld) -> Written:
    """Replace or create a file in one step: at any moment it holds either the old bytes or the new ones.

    ``expected`` is what the file held when it was read, None when it must not exist yet. A symlink stays and
    its target is written; mode, owner and extended attributes stay. An original that ``is_held`` does not vouch for is kept beside
    it as ``NAME.orig``.

    Raises WriteError when nothing was written: the file was edited meanwhile, is read-only or no regular file, or the system said no.
    """
    target = Path(os.path.realpath(path))
    try:
        old = _state(target)
        mode = _mode_to_give(target, old, expected)
        with temporary_beside(target) as temporary:
            lost = _fill(temporary, data, mode, target if expected is not None else None)
            _check_unedited(target, expected)
            kept = None
            if expected is None:
                _create(temporary, target)
            else:
                if not is_held(target, expected):
                    kept = _keep_original(target, expected, mode)
                _check_unedited(target, expected)
                os.replace(temporary.path, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise WriteError(f"cannot write: {reason_of(error)}") from error
    if old is not None and old.st_nlink > 1:
        lost += lost_names(old.st_nlink - 1)
    return Written(kept, lost)


def _state(target: Path) -> os.stat_result | None:
    try:
        state = os.stat(target)
    except FileNotFoundError:
        return None
    check_kind(state.st_mode)
    return state


def _mode_to_give(target: Path, old: os.stat_result | None, expected: bytes | None) -> int:
    if expected is None:
        mask = os.umask(0)
        os.umask(mask)
        return _NEW_FILE_MODE & ~mask
    if old is None:
        raise WriteError("not written: the file was removed meanwhile")
    mode = stat.S_IMODE(old.st_mode)
    if not mode & 0o222 or not os.access(target, os.W_OK):
        raise WriteError("cannot write: the file is read-only")
    return mode


def _fill(temporary: Temporary, data: bytes, mode: int, like: Path | None) -> tuple[str, ...]:
    """Write a temporary file, with the metadata of the file that it is to replace; says what cannot be kept of it."""
    file = temporary.file
    file.write(data)
    file.flush()
    lost: tuple[str, ...] = ()
    if os.name == "posix":
        if like is not None:
            lost = copy_metadata(like, file.fileno())
        os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())
    if os.name != "posix":
        file.close()  # what is open cannot be renamed there
    return lost


def _check_unedited(target: Path, expected: bytes | None) -> None:
    if expected is None:
        if os.path.lexists(target):
            raise WriteError("not written: the file appeared meanwhile")
        return
    try:
        found = read_file(target)
    except FileNotFoundError as error:
        raise WriteError("not written: the file was removed meanwhile") from error
    if found != expected:
        raise WriteError("not written: the file was edited meanwhile")


def _create(temporary: Temporary, target: Path) -> None:
    # A hard link fails when the name is taken, which os.replace would not notice.
    try:
        os.link(temporary.path, target)
    except FileExistsError as error:
        raise WriteError("not written: the file appeared meanwhile") from error
    except OSError:
        if os.path.lexists(target):
            raise WriteError("not written: the file appeared meanwhile") from None
        os.replace(temporary.path, target)


def _keep_original(target: Path, data: bytes, mode: int) -> Path:
    """Keep the original beside the file: itself, under another name, and where there are no hard links a copy of it."""
    for kept in _names_to_keep(target):
        try:
            if stat.S_ISREG(os.lstat(kept).st_mode) and read_file(kept) == data:
                return kept
            continue
        except FileNotFoundError:
            pass
        except (NotAFile, PermissionError):
            continue
        try:
            os.link(target, kept, follow_symlinks=False)
            return kept
        except FileExistsError:
            continue
        except OSError:
            with temporary_beside(kept) as temporary, contextlib.suppress(WriteError):
                _fill(temporary, data, mode, target)
                _create(temporary, kept)
                return kept
    raise WriteError(f"not written: all names from {target.name}.orig on are taken, so the original cannot be kept")


def _names_to_keep(target: Path) -> Iterator[Path]:
    yield target.with_name(f"{target.name}.orig")
    for number in range(1, _MOST_ORIGINALS):
        yield target.with_name(f"{target.name}.orig.{number}")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
