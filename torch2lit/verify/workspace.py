"""A throw-away mirror of the user's files, in which relative paths mean what they meant.

Below the mirror's root the absolute path of every folder is rebuilt: ``/home/me/project/train.py`` becomes
``ROOT/home/me/project/train.py``. The project is copied. The folders above it, and above the current
directory, are real folders whose other entries are links to the originals; so ``../data`` is found, and
what the script creates beside its project stays in the mirror. Links in the project are kept as links.
Large files and folders full of data are linked; `copy_on_write` turns such a link into a copy before
something is written through it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .copy_on_write import link_entries
from .errors import VerifyError

LINKED_FILE_SIZE = 50 * 1024**2
LINKED_FOLDER_ENTRIES = 1000
MOST_FILES = 20_000
MOST_BYTES = 1024**3

_MARKERS = (".git", "pyproject.toml", "setup.py", "setup.cfg")
_SKIPPED = {
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "node_modules",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".tox",
}
OWN_PREFIX = "torch2lit-verify-"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One mirror. ``folders`` are the user's folders that were copied into it."""

    root: Path
    folders: tuple[Path, ...]
    directory: Path

    def place(self, path: Path) -> Path:
        """Where the mirror has this absolute path of the user's."""
        resolved = path.resolve()
        return self.root / resolved.relative_to(resolved.anchor)

    def place_copied(self, path: str) -> str:
        """Where the copy of this path is, or the path itself when it was not copied."""
        return str(self.place(Path(path))) if path and _inside(Path(path).resolve(), self.folders) else path


@dataclass(slots=True)
class _Budget:
    folder: Path
    files: int = 0
    size: int = 0

    def spend(self, size: int) -> None:
        """Count one file that is copied. Raises VerifyError when that is too much."""
        self.files += 1
        self.size += size
        if self.files > MOST_FILES or self.size > MOST_BYTES:
            raise VerifyError(
                f"{self.folder} is too large to be copied for the proof (more than {MOST_FILES:,} files or "
                f"{MOST_BYTES // 1024**2:,} MiB). Keep data beside the project, or the script in a folder "
                "of its own."
            )


def project_of(script: Path) -> Path:
    """The folder that a script lives in: the nearest one above it that looks like a project, else its own.

    A home folder or the root of a disk is never taken for a project.
    """
    folder = script.resolve().parent
    for candidate in (folder, *folder.parents):
        if candidate in (Path.home(), Path(candidate.anchor)):
            break
        if any((candidate / marker).exists() for marker in _MARKERS):
            return candidate
    return folder


def build(root: Path, scripts: Sequence[Path], directory: Path) -> Workspace:
    """Mirror the projects of these scripts and the current directory below ``root``.

    Raises VerifyError when a project is too large to be copied.
    """
    folders = _outermost(_copied(script) for script in scripts)
    workspace = Workspace(root.resolve(), folders, directory.resolve())
    shallow = {above for start in (*folders, workspace.directory) for above in start.parents} | {workspace.directory}
    shallow = {folder for folder in shallow if not _inside(folder, folders)}
    real = shallow | set(folders)
    for folder in sorted(shallow):
        names = [path.name for path in real if path.parent == folder]
        link_entries(str(folder), str(workspace.place(folder)), names)
    for folder in folders:
        _copy(folder, workspace.place(folder))
    return workspace


def _copied(script: Path) -> Path:
    project = project_of(script)
    try:
        _measure(project, _Budget(project))
    except VerifyError:
        project = script.resolve().parent
        _measure(project, _Budget(project))
    return project


def _outermost(folders: Iterable[Path]) -> tuple[Path, ...]:
    distinct = sorted(set(folders))
    return tuple(f for f in distinct if not _inside(f, [other for other in distinct if other != f]))


def _inside(folder: Path, others: Iterable[Path]) -> bool:
    return any(folder == other or other in folder.parents for other in others)


def _measure(folder: Path, budget: _Budget) -> None:
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            if _treatment(entry) == "copy":
                _measure(Path(entry.path), budget)
        elif entry.is_file(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):  # somebody else may be at work in the folder
                if (size := entry.stat().st_size) <= LINKED_FILE_SIZE:
                    budget.spend(size)


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for entry in _entries(source):
        place = target / entry.name
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
        elif entry.is_dir(follow_symlinks=False):
            treatment = _treatment(entry)
            if treatment == "copy":
                _copy(Path(entry.path), place)
            elif treatment == "link":
                os.symlink(entry.path, place)
        elif entry.is_file(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):
                _copy_file(entry, place)


def _copy_file(entry: os.DirEntry[str], place: Path) -> None:
    size = entry.stat().st_size
    if size > LINKED_FILE_SIZE or not os.access(entry.path, os.R_OK):
        os.symlink(entry.path, place)
        return
    shutil.copy2(entry.path, place)


def _treatment(folder: os.DirEntry[str]) -> str:
    if folder.name in _SKIPPED or folder.name.startswith(OWN_PREFIX):
        return "skip"
    try:
        names = os.listdir(folder.path)
    except PermissionError:
        return "link"
    except FileNotFoundError:
        return "skip"
    if "pyvenv.cfg" in names:
        return "skip"
    is_data = len(names) > LINKED_FOLDER_ENTRIES and not any(name.endswith(".py") for name in names)
    return "link" if is_data else "copy"


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
