"""The files of the project that a file's imports reach, itself first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .roles import Roles


def reached_files(roles: Roles) -> Iterator[Roles]:
    """What the names of each file stand for, nearest first; a file that does not parse is left out."""
    waiting, seen = [roles], {id(roles)}
    while waiting:
        current = waiting.pop(0)
        yield current
        for file in _imported_files(current):
            other = current.of_file(file)
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)


def _imported_files(roles: Roles) -> list[Path]:
    if roles.neighbours is None:
        return []
    names: dict[str, None] = {}
    for origin in roles.origins.values():
        names.update({origin.removesuffix(".*"): None, origin.rpartition(".")[0]: None})
    return [file for name in names if name and (file := roles.neighbours.file(name)) is not None]
