"""What git holds of a file, asked once per repository."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .reading import read_file

_PATHS_PER_CALL = 500
_SECONDS = 20
_LARGEST_REFS = 64 * 1024**2
_NAME = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_HARMLESS = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}


def repository_of(path: Path) -> Path | None:
    """The root of the repository that a resolved path lies in."""
    return next((folder for folder in path.parents if os.path.lexists(folder / ".git")), None)


class HeldByGit:
    """Tells of each file whether the last commit of its repository holds exactly these bytes.

    ``paths`` are the resolved paths that will be asked for. A doubt of any kind (no git, no repository, no
    commit, a filter that changes newlines) counts as not held.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._paths: dict[Path, list[Path]] = {}
        for path in paths:
            if root := repository_of(path):
                self._paths.setdefault(root, []).append(path)
        self._blobs: dict[Path, Mapping[str, str]] = {}

    def __call__(self, path: Path, data: bytes) -> bool:
        root = repository_of(path)
        if root is None:
            return False
        if root not in self._blobs:
            self._blobs[root] = _blobs_of_head(root, self._paths.get(root, [path]))
        blob = self._blobs[root].get(path.relative_to(root).as_posix())
        return blob is not None and blob == _blob_name(data, len(blob))


def _blobs_of_head(root: Path, paths: list[Path]) -> Mapping[str, str]:
    """The names of the blobs that the last commit has under these paths.

    A repository can be hostile, and its configuration names programs that git runs for it (filters, monitors, hooks, remotes that are
    asked for what is missing). So git never sees that configuration: the last commit is looked up here, and git reads its objects
    from an empty repository of our own.
    """
    import subprocess

    names = [path.relative_to(root).as_posix() for path in paths]
    found = _last_commit(root)
    program = _git_outside_of(root)
    if found is None or program is None:
        return {}
    commit, objects = found
    command = [program, "--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", commit, "--"]
    try:
        with _own_repository(len(commit)) as own:
            environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
            answer = subprocess.run(
                command + (names if len(names) <= _PATHS_PER_CALL else []),
                cwd=own,
                env={**environment, **_HARMLESS, "GIT_DIR": own, "GIT_OBJECT_DIRECTORY": str(objects)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=_SECONDS,
            )
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    blobs: dict[str, str] = {}
    for entry in answer.stdout.split(b"\0"):
        description, _, name = entry.partition(b"\t")
        fields = description.split()
        if len(fields) == 3 and fields[1] == b"blob":
            blobs[os.fsdecode(name)] = fields[2].decode("ascii")
    return blobs


@contextlib.contextmanager
def _own_repository(length: int) -> Iterator[str]:
    """An empty repository that git takes for one, for objects whose names have this length."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="torch2lit-git-") as folder:
        for name in ("objects", "refs"):
            os.mkdir(os.path.join(folder, name))
        extension = "[extensions]\n\tobjectFormat = sha256\n" if length == 64 else ""
        texts = {
            "HEAD": "ref: refs/heads/main\n",
            "config": f"[core]\n\trepositoryformatversion = {1 if extension else 0}\n\tbare = true\n{extension}",
        }
        for name, text in texts.items():
            Path(folder, name).write_text(text, encoding="ascii")
        yield folder


def _last_commit(root: Path) -> tuple[str, Path] | None:
    """The name of the last commit and the folder of the objects; None when they are not found where git usually keeps them."""
    try:
        folder = root / ".git"
        if not folder.is_dir():
            folder = root / _line(folder).removeprefix("gitdir:").strip()
        common = folder
        if os.path.lexists(folder / "commondir"):
            common = folder / _line(folder / "commondir")
        name = _line(folder / "HEAD")
        for _ in range(5):
            if not name.startswith("ref:"):
                break
            name = _reference(name.removeprefix("ref:").strip(), folder, common)
    except (OSError, ValueError):
        return None
    return (name, common.resolve() / "objects") if _NAME.fullmatch(name) else None


def _reference(name: str, own: Path, common: Path) -> str:
    if not name.startswith("refs/") or ".." in name:
        return ""
    for folder in (own, common):
        with contextlib.suppress(OSError):
            return _line(folder / name)
    with contextlib.suppress(FileNotFoundError):
        for line in read_file(common / "packed-refs", _LARGEST_REFS).decode("utf-8", "replace").split("\n"):
            value, _, key = line.partition(" ")
            if key == name:
                return value
    return ""


def _line(path: Path) -> str:
    return os.fsdecode(read_file(path, 64 * 1024)).strip()


def _git_outside_of(root: Path) -> str | None:
    """Where git is; a program of this name in the repository itself, in the current or a relative folder is none."""
    import shutil

    here = Path.cwd().resolve()
    folders = [
        folder
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)
        if os.path.isabs(folder) and (real := Path(os.path.realpath(folder))) != here and not real.is_relative_to(root)
    ]
    found = shutil.which("git", path=os.pathsep.join(folders))
    return found if found and os.path.isabs(found) else None


def _blob_name(data: bytes, length: int) -> str:
    algorithm = hashlib.sha256 if length == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(data) + data).hexdigest()
