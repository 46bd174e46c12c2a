"""What git holds of a file, asked once per repository."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

_REDIRECTIONS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
_PATHS_PER_CALL = 500


def repository_of(path: Path) -> Path | None:
    """The root of the repository that a resolved path lies in."""
    return next((folder for folder in path.parents if (folder / ".git").exists()), None)


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
    import subprocess

    names = [path.relative_to(root).as_posix() for path in paths]
    command = [
        "git",
        "--literal-pathspecs",
        "-C",
        str(root),
        "ls-tree",
        "-r",
        "-z",
        "--full-tree",
        "HEAD",
        "--",
    ]
    environment = {key: value for key, value in os.environ.items() if key not in _REDIRECTIONS}
    try:
        answer = subprocess.run(
            command + (names if len(names) <= _PATHS_PER_CALL else []),
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    blobs: dict[str, str] = {}
    for entry in answer.stdout.split(b"\0"):
        description, _, name = entry.partition(b"\t")
        fields = description.split()
        if len(fields) == 3 and fields[1] == b"blob":
            blobs[os.fsdecode(name)] = fields[2].decode("ascii")
    return blobs


def _blob_name(data: bytes, length: int) -> str:
    algorithm = hashlib.sha256 if length == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(data) + data).hexdigest()
