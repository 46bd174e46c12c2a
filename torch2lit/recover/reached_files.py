"""The files of the project that a file's imports reach, itself first."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..memory import once
from .roles import Roles


def reached_files(roles: Roles) -> Iterator[Roles]:
    """What the names of each file stand for, nearest first; a file that does not parse is left out.

    Each is read once per run, and none before somebody asks for it.
    """
    return once(("files reached", roles), lambda: _Reached(roles)).files()


class _Reached:
    """The files known so far, and how many of them were asked for what they import."""

    def __init__(self, roles: Roles) -> None:
        self.found = [roles]
        self.seen = {id(roles)}
        self.asked = 0

    def files(self) -> Iterator[Roles]:
        place = 0
        while True:
            while place < len(self.found):
                yield self.found[place]
                place += 1
            if self.asked == len(self.found):
                return
            current = self.found[self.asked]
            self.asked += 1
            for file in _imported_files(current):
                other = current.of_file(file)
                if other is not None and id(other) not in self.seen:
                    self.seen.add(id(other))
                    self.found.append(other)


def methods_reached(roles: Roles) -> Mapping[str, list[tuple[ast.FunctionDef, Roles]]]:
    """The methods of all classes of these files, by their names."""
    return once(("methods reached", roles), lambda: _methods_reached(roles))


def _methods_reached(roles: Roles) -> dict[str, list[tuple[ast.FunctionDef, Roles]]]:
    found: dict[str, list[tuple[ast.FunctionDef, Roles]]] = {}
    for file in reached_files(roles):
        for definition in file.source.classes.values():
            for method in definition.body:
                if isinstance(method, ast.FunctionDef):
                    found.setdefault(method.name, []).append((method, file))
    return found


def _imported_files(roles: Roles) -> list[Path]:
    if roles.neighbours is None:
        return []
    names: dict[str, None] = {}
    for origin in roles.origins.values():
        names.update({origin.removesuffix(".*"): None, origin.rpartition(".")[0]: None})
    return [file for name in names if name and (file := roles.neighbours.file(name)) is not None]
