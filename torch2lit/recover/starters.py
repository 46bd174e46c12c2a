"""Which other files of a project start the training that a file only holds.

engine.py   def train_one_epoch(model, loader, optimizer): ...      runs nothing by itself
runner.py   from engine import train_one_epoch                      def run(...): ... train_one_epoch(...)
main.py     from runner import run                                  run(...)

The starters of engine.py are main.py, which nobody imports, and runner.py.
"""

from __future__ import annotations

import ast
from pathlib import Path

from ..memory import once
from .neighbours import Definition, neighbours_of
from .reach import ProjectFiles
from .roles import roles_of
from .syntax import source_of
from .wanted_names import takers

_CANNOT_READ = (SyntaxError, ValueError, RecursionError, MemoryError)


def starters(path: Path) -> tuple[Path, ...]:
    """The files that take a function or a class that trains from a file, and those that take it from them; scripts first."""
    found: dict[Path, bool] = {}
    left = [path]
    while left:
        for file in _taking_training(left.pop()):
            if file not in found and file.resolve() != path.resolve():
                found[file] = bool(_taking_training(file))
                left.append(file)
    return tuple(sorted(found, key=lambda file: (found[file], file.parts)))


def _taking_training(path: Path) -> list[Path]:
    """The files that take what trains from a file; none for a notebook, which nobody imports."""
    if path.suffix != ".py":
        return []
    return once(("taking training", path), lambda: _find(path))


def _find(path: Path) -> list[Path]:
    wanted = takers(path.as_posix())
    names = _training_names(path, set(wanted)) if wanted else []
    return list(dict.fromkeys(file for name in names for file in wanted[name]))


def _training_names(path: Path, asked: set[str]) -> list[str]:
    """The functions and classes of a file's top level that train, and the names under which it has those of other files."""
    neighbours = neighbours_of(path.as_posix())
    try:
        source = source_of(neighbours.text(path))
        files = ProjectFiles(roles_of(source, neighbours), neighbours_of(path.as_posix(), source.tree))
        return [name for name in sorted(asked) if _trains(name, path, source.tree, files)]
    except _CANNOT_READ:
        return []


def _trains(name: str, path: Path, tree: ast.Module, files: ProjectFiles) -> bool:
    own = [s for s in tree.body if isinstance(s, ast.FunctionDef | ast.ClassDef) and s.name == name]
    if own:
        return files.trains(Definition(path, path.stem, own[-1]))
    full = files.roles.origins.get(name)
    other = files.neighbours.definition(full) if full and "." in full else None
    return other is not None and files.trains(other)
