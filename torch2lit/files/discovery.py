"""Which files a run is about: named ones, and those below named folders, in a fixed order."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from re import Pattern

from .ignoring import Rule, parse_rules, verdict
from .reading import check_kind, read_file, reason_of
from .time_limit import TooSlow, within

SUFFIXES = (".py", ".ipynb")
DEFAULT_EXCLUDES = (
    r"/(\.direnv|\.eggs|\.git|\.hg|\.ipynb_checkpoints|\.mypy_cache|\.nox|\.pytest_cache|\.ruff_cache|\.svn|\.tox"
    r"|\.venv|\.vscode|__pycache__|__pypackages__|_build|buck-out|build|dist|node_modules|site-packages|venv)/"
)

_LARGEST_GITIGNORE = 256 * 1024
_SECONDS_PER_NAME = 5.0


class ExcludeProblem(ValueError):
    """An exclude that is no regular expression, or one that takes for ever."""


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
    """The files of a run, sorted by path, and what could not be listed or is no file, with the reason."""

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
        try:
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                candidates = _below(path, patterns, result.unreadable)
            else:
                check_kind(mode)
                forbidden = patterns.forbids("/" + path.as_posix().lstrip("/"))
                candidates = iter(() if forbidden else ((path, os.path.realpath(path)),))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileNotFoundError(str(path)) from error
        except ValueError as error:  # a NUL in the name
            raise FileNotFoundError(str(path)) from error
        except OSError as error:
            result.unreadable.append((path, reason_of(error)))
            continue
        for file, real in candidates:
            found.setdefault(real, file)
    result.files = sorted(found.values(), key=lambda file: file.parts)
    return result


@dataclass(frozen=True, slots=True)
class _Patterns:
    skip: tuple[Pattern[str], ...]
    force: tuple[Pattern[str], ...]

    def forbids(self, name: str) -> bool:
        return any(_found(pattern, name) for pattern in self.force)

    def leaves_out(self, name: str) -> bool:
        return any(_found(pattern, name) for pattern in self.skip + self.force)


@dataclass(frozen=True, slots=True)
class _Ignores:
    """The rules of one .gitignore and the folder that they are relative to."""

    folder: Path
    rules: tuple[Rule, ...]


def _found(pattern: Pattern[str], name: str) -> bool:
    if pattern.pattern == DEFAULT_EXCLUDES:  # takes no time, and to set a clock for each name does
        return pattern.search(name) is not None
    try:
        with within(_SECONDS_PER_NAME):
            return pattern.search(name) is not None
    except TooSlow as error:
        shown = pattern.pattern if len(pattern.pattern) < 80 else pattern.pattern[:77] + "..."
        raise ExcludeProblem(
            f"the exclude {shown!r} takes for ever on {name!r}; it holds repeats of repeats"
        ) from error


def _compile(*expressions: str | None) -> tuple[Pattern[str], ...]:
    try:
        return tuple(re.compile(expression) for expression in expressions if expression)
    except re.error as error:
        raise ExcludeProblem(f"{error.pattern!r} is not a regular expression: {error}") from error


def _below(top: Path, patterns: _Patterns, unreadable: list[tuple[Path, str]]) -> Iterator[tuple[Path, str]]:
    """The files below a folder, each with its real path."""
    resolved = Path(os.path.realpath(top))
    inherited = _inherited_ignores(resolved)
    # A folder that was named is wanted, even if its repository ignores it.
    if any(_is_ignored(place, True, inherited) for place in (*resolved.parents, resolved)):
        inherited = ()
    yield from _walk(top, resolved, "/", patterns, inherited, unreadable)


def _walk(
    folder: Path,
    resolved: Path,
    prefix: str,
    patterns: _Patterns,
    ignores: tuple[_Ignores, ...],
    unreadable: list[tuple[Path, str]],
) -> Iterator[tuple[Path, str]]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        unreadable.append((folder, error.strerror or str(error)))
        return
    if any(entry.name == ".gitignore" for entry in entries) and (own := _ignores_in(resolved)):
        ignores = (*ignores, own)
    for entry in entries:
        is_folder, problem = _kind(entry)
        if not is_folder and not entry.name.endswith(SUFFIXES):
            continue
        name = prefix + entry.name
        if patterns.leaves_out(name + "/" if is_folder else name):
            continue
        if ignores and _is_ignored(resolved / entry.name, is_folder, ignores):
            continue
        if problem is not None:
            if problem:
                unreadable.append((folder / entry.name, problem))
        elif is_folder:
            yield from _walk(folder / entry.name, resolved / entry.name, name + "/", patterns, ignores, unreadable)
        else:
            real = os.path.join(resolved, entry.name)
            yield folder / entry.name, os.path.realpath(real) if entry.is_symlink() else real


def _kind(entry: os.DirEntry[str]) -> tuple[bool, str | None]:
    """Whether an entry is a folder; and when it is neither a folder nor a file that can be read, why, "" when that is nobody's concern.

    Links that lead nowhere and pipes are left out as other programs do; one that runs in a circle or cannot be followed is told of.
    """
    try:
        if entry.is_dir(follow_symlinks=False):
            return True, None
        return False, None if entry.is_file() else ""
    except OSError as error:
        return False, reason_of(error)


def _inherited_ignores(folder: Path) -> tuple[_Ignores, ...]:
    chain = [folder, *folder.parents]
    root = next((number for number, parent in enumerate(chain) if os.path.lexists(parent / ".git")), 0)
    return tuple(own for parent in reversed(chain[1 : root + 1]) if (own := _ignores_in(parent)))


def _ignores_in(folder: Path) -> _Ignores | None:
    try:
        text = read_file(folder / ".gitignore", _LARGEST_GITIGNORE).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    rules = parse_rules(text)
    return _Ignores(folder, rules) if rules else None


def _is_ignored(path: Path, is_folder: bool, ignores: tuple[_Ignores, ...]) -> bool:
    # The rules nearest to a file decide, and "!" takes back what an outer file said.
    for own in reversed(ignores):
        if own.folder in path.parents:
            said = verdict(own.rules, path.relative_to(own.folder).parts, is_folder)
            if said is not None:
                return said
    return False
