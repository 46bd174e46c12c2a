"""What a result rests on: whether it still holds is asked of the file system, as little as possible."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..files.asked import Asked, digest_of, kind_of, names_in

State = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds; (-1, -1) when the time proves nothing."""
_UNSURE: State = (-1, -1)
_TICK = 2_000_000_000
"""Nanoseconds in which a file may change twice without another time: that of FAT is the coarsest."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Files with their state and digest, paths with their kind, folders with their state and the digest of their names."""

    contents: tuple[tuple[str, State, str], ...]
    kinds: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, State, str], ...]

    @classmethod
    def of(cls, asked: Asked, when: int) -> Witness | None:
        """The witness of what was asked since a time in nanoseconds; None when an answer cannot be asked for again."""
        if any(digest == digest_of(None) and os.path.lexists(path) for path, digest in asked.contents.items()):
            return None
        return cls(
            tuple((path, _state(path, when), digest) for path, digest in asked.contents.items()),
            tuple(asked.kinds.items()),
            tuple((path, _state(path, when), digest) for path, digest in asked.names.items()),
        )


class Witnesses:
    """Asks each question once in a run, however many results rest on it."""

    def __init__(self) -> None:
        self._contents: dict[tuple[str, str], bool] = {}
        self._kinds: dict[str, str] = {}
        self._names: dict[tuple[str, str], bool] = {}

    def still(self, witness: Witness) -> bool:
        """Whether everything is as it was."""
        return (
            all(self._is_kind(path, kind) for path, kind in witness.kinds)
            and all(self._has_content(*one) for one in witness.contents)
            and all(self._has_names(*one) for one in witness.names)
        )

    def _has_content(self, path: str, state: State, digest: str) -> bool:
        if (path, digest) not in self._contents:
            self._contents[path, digest] = (state != _UNSURE and _now(path) == state) or _content(path) == digest
        return self._contents[path, digest]

    def _is_kind(self, path: str, kind: str) -> bool:
        if path not in self._kinds:
            self._kinds[path] = kind_of(path)
        return self._kinds[path] == kind

    def _has_names(self, path: str, state: State, digest: str) -> bool:
        if (path, digest) not in self._names:
            self._names[path, digest] = (state != _UNSURE and _now(path) == state) or names_in(path) == digest
        return self._names[path, digest]


def _state(path: str, when: int) -> State:
    """The state of a path, unless it changed so lately that another change might leave it the same."""
    found = _now(path)
    return found if found[1] < when - _TICK else _UNSURE


def _now(path: str) -> State:
    try:
        state = os.stat(path)
    except OSError:
        return _UNSURE
    return state.st_size, state.st_mtime_ns


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return digest_of(file.read())
    except OSError:
        return digest_of(None)
