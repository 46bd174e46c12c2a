"""Which files a run is about: named ones, and those below named folders, in a fixed order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from re import Pattern
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathspec import PathSpec

SUFFIXES = (".py", ".ipynb")
DEFAULT_EXCLUDES = (
    r"/(\.direnv|\.eggs|\.git|\.hg|\.ipynb_checkpoints|\.mypy_cache|\.nox|\.pytest_cache|\.ruff_cache|\.svn|\.tox"
    r"|\.venv|\.vscode|__pycache__|__pypackages__|_build|buck-out|build|dist|node_modules|site-packages|venv)/"
)


class ExcludeProblem(ValueError):
    """An exclude that is no regular expression."""


@dataclass(frozen=True, slots=True)
class Excludes:
    """What to leave out: regular expressions, searched in ``/`` + the path below the folder, as black does.

    ``exclude`` replaces the default, ``extend`` adds to it, ``force`` holds for files named explicitly too.
    Folders end in ``/``.
    """

    exclude: str | None = None
    extend: str | None = None
    force: str | None = None


@dataclass(slots=True)
class Discovered:
    """The files of a run, sorted by path, and the folders that could not be listed, with the reason."""

    files: list[Path] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def discover(paths: Iterable[Path], excludes: Excludes = Excludes()) -> Discovered:
    """Find the files that paths stand for; a file reached twice counts once.

    Raises FileNotFoundError for a path that does not exist and ExcludeProblem for a wrong regular expression.
    """
    patterns = _Patterns(
        skip=_compile(DEFAULT_EXCLUDES if excludes.exclude is None else excludes.exclude, excludes.extend),
        force=_compile(excludes.force),
    )
    result = Discovered()
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            candidates = _below(path, patterns, result.unreadable)
        elif path.exists():
            candidates = iter(() if patterns.forbids("/" + path.as_posix().lstrip("/")) else (path,))
        else:
            raise FileNotFoundError(str(path))
        for file in candidates:
            found.setdefault(os.path.realpath(file), file)
    result.files = sorted(found.values(), key=lambda file: file.parts)
    return result


@dataclass(frozen=True, slots=True)
class _Patterns:
    skip: tuple[Pattern[str], ...]
    force: tuple[Pattern[str], ...]

    def forbids(self, name: str) -> bool:
        return any(pattern.search(name) for pattern in self.force)

    def leaves_out(self, name: str) -> bool:
        return any(pattern.search(name) for pattern in self.skip + self.force)


@dataclass(frozen=True, slots=True)
class _Ignores:
    """The rules of one .gitignore and the folder that they are relative to."""

    folder: Path
    rules: PathSpec[Any]


def _compile(*expressions: str | None) -> tuple[Pattern[str], ...]:
    try:
        return tuple(re.compile(expression) for expression in expressions if expression)
    except re.error as error:
        raise ExcludeProblem(f"{error.pattern!r} is not a regular expression: {error}") from error


def _below(top: Path, patterns: _Patterns, unreadable: list[tuple[Path, str]]) -> Iterator[Path]:
    resolved = Path(os.path.realpath(top))
    inherited = _inherited_ignores(resolved)
    # A folder that was named is wanted, even if its repository ignores it.
    if _is_ignored(resolved, True, inherited):
        inherited = ()
    yield from _walk(top, resolved, "/", patterns, inherited, unreadable)


def _walk(
    folder: Path,
    resolved: Path,
    prefix: str,
    patterns: _Patterns,
    ignores: tuple[_Ignores, ...],
    unreadable: list[tuple[Path, str]],
) -> Iterator[Path]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        unreadable.append((folder, error.strerror or str(error)))
        return
    if any(entry.name == ".gitignore" for entry in entries) and (own := _ignores_in(resolved)):
        ignores = (*ignores, own)
    for entry in entries:
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and not (entry.name.endswith(SUFFIXES) and entry.is_file()):
            continue
        name = prefix + entry.name
        if patterns.leaves_out(name + "/" if is_folder else name):
            continue
        if _is_ignored(resolved / entry.name, is_folder, ignores):
            continue
        if is_folder:
            yield from _walk(folder / entry.name, resolved / entry.name, name + "/", patterns, ignores, unreadable)
        else:
            yield folder / entry.name


def _inherited_ignores(folder: Path) -> tuple[_Ignores, ...]:
    chain = [folder, *folder.parents]
    root = next((number for number, parent in enumerate(chain) if (parent / ".git").exists()), 0)
    return tuple(own for parent in reversed(chain[1 : root + 1]) if (own := _ignores_in(parent)))


def _ignores_in(folder: Path) -> _Ignores | None:
    try:
        text = (folder / ".gitignore").read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    from pathspec import GitIgnoreSpec

    rules = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        return _Ignores(folder, GitIgnoreSpec.from_lines(rules)) if rules else None
    except ValueError:
        return _Ignores(folder, GitIgnoreSpec.from_lines([rule for rule in rules if _is_legal(rule)]))


def _is_legal(rule: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([rule])
    except ValueError:
        return False
    return True


def _is_ignored(path: Path, is_folder: bool, ignores: tuple[_Ignores, ...]) -> bool:
    # The rules nearest to a file decide, and "!" takes back what an outer file said.
    for own in reversed(ignores):
        name = path.relative_to(own.folder).as_posix() + ("/" if is_folder else "")
        if (verdict := own.rules.check_file(name).include) is not None:
            return verdict
    return False
