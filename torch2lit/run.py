"""A whole run: find the files, convert them in memory, write what was converted."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .checks import missed_names
from .destinations import destinations, is_folder
from .files.discovery import Excludes, discover
from .files.errors import WriteError
from .files.git import HeldByGit
from .files.prefilter import may_lead_to_training, mentions_skip, mentions_torch
from .files.reading import read_file, reason_of
from .files.temporary import remove_leftovers
from .files.writing import Written, write_file
from .memory import remembering
from .options import Options
from .parallel import process_files
from .process import Processed, process_file, unchanged_at_sight
from .process_python import failed
from .program import Cause, Conversion, Library, Outcome
from .unchanged import already_lightning, why_unchanged

if TYPE_CHECKING:
    from .cache import Cache

OptionsOf = Callable[[Path], Options]
"""The options of one file, where they are not the same for all."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run did. ``kept`` are pairs of a written file and the copy of its original, where needed."""

    conversions: tuple[Conversion, ...]
    kept: tuple[tuple[Path, Path], ...] = ()


def run_files(
    paths: Sequence[Path],
    options: Options | OptionsOf,
    *,
    excludes: Excludes | None = None,
    write: bool = False,
    output: str | None = None,
    jobs: int | None = None,
    shard: tuple[int, int] = (1, 1),
    cache: Cache | None = None,
    tell: Callable[[int, int], object] = lambda done, of: None,
) -> Run:
    """Convert files and everything below folders; of these files only one of several parts, when ``shard`` says which.
    ``cache`` has results of earlier runs and gets those of this one; ``tell`` is called with how many of how many
    files are done, for those that take time.

    Raises FileNotFoundError for a path that does not exist, ExcludeProblem for a wrong exclude and
    DestinationProblem for an output that cannot take the files. One bad file is a failed conversion and stops
    nothing.
    """
    found = discover(paths, excludes or Excludes())
    files = in_shard(_outside_of(found.files, paths, output), *shard)
    places = destinations(files, paths, output) if write else {}
    done = _process(files, options, jobs, cache, tell)
    if others := _not_among(files, [other for one in done for other in one.others]):
        files, done = [*files, *others], [*done, *_process(others, options, jobs, cache, tell)]
        places = destinations(files, [*paths, *sorted({other.parent for other in others})], output) if write else {}
    done = _with_names_for_others(files, _left_to_their_programs(files, done, options))
    conversions = [failed(path.as_posix(), f"cannot read: {reason}") for path, reason in found.unreadable]
    kept: list[tuple[Path, Path]] = []
    if write:
        conversions += _write(files, done, places, kept)
    else:
        conversions += [one.conversion for one in done]
    if cache is not None:
        cache.sweep()
    conversions.sort(key=lambda conversion: _parts(conversion.path))
    return Run(tuple(conversions), tuple(kept))


def _parts(path: str) -> list[str]:
    """The parts of a path with slashes, as `Path.parts` has them, but for many files."""
    parts = path.split("/")
    return ["/", *parts[1:]] if path.startswith("/") else parts


def _left_to_their_programs(
    files: Sequence[Path], done: Sequence[Processed], options: Options | OptionsOf
) -> list[Processed]:
    """The same, but a file that starts no training itself stays as it is unless it is converted with its program.

    Fabric would change it for callers that the user did not ask to convert, or that have its code by now. Whether it was named makes no
    difference: pre-commit names the files of a commit, a few at a time and in any order.
    """
    if all(one.conversion.library is None for one in done):
        return list(done)
    known = {os.path.realpath(file): one for file, one in zip(files, done, strict=True)}
    with_program = {os.path.realpath(other) for one in done for other in one.others}
    result = []
    for file, one in zip(files, done, strict=True):
        if one.conversion.library is not None and os.path.realpath(file) not in with_program:
            one = _left_to_its_program(file, one, known, options)
        result.append(one)
    return result


@remembering()
def _left_to_its_program(
    file: Path, one: Processed, known: dict[str, Processed], options: Options | OptionsOf
) -> Processed:
    from .recover.starters import starters

    real, started_by = os.path.realpath(file), starters(file)
    programs = [
        known.get(os.path.realpath(script)) or process_file(script, _of(options, script)) for script in started_by
    ]
    if any(real in map(os.path.realpath, program.others) for program in programs):
        return one
    if one.conversion.library is Library.CLASSES and not any(map(_trains_by_lightning, programs)):
        return one
    before = one.conversion.before
    reason = _STARTED_BY.format(os.path.relpath(started_by[0], file.parent)) if started_by else _STARTED_BY_NONE
    return Processed(Conversion(one.conversion.path, Outcome.UNCHANGED, before, before, reason=reason), one.read)


def _trains_by_lightning(program: Processed) -> bool:
    if program.conversion.outcome is Outcome.CONVERTED:
        return True
    try:  # what was told by its bytes alone kept none of them
        return already_lightning(program.read or read_file(Path(program.conversion.path)))
    except OSError:
        return False


def _of(options: Options | OptionsOf, file: Path) -> Options:
    return options if isinstance(options, Options) else options(file)


def _with_names_for_others(files: Sequence[Path], done: Sequence[Processed]) -> list[Processed]:
    """The same, but a file stays as it is when another one, as it will be, takes a name from it that would be gone."""
    result = list(done)
    if sum(one.result is not None for one in done) < 2:  # one alone was looked at when it was converted
        return result
    from . import catalogue  # noqa: F401  (registers the findings)
    from .findings import finding

    while True:
        changed = {
            Path(os.path.realpath(f)): _new_text(one) for f, one in zip(files, result, strict=True) if one.result
        }
        for place, (file, one) in enumerate(zip(files, result, strict=True)):
            conversion = one.conversion
            if one.result is None or file.suffix != ".py":
                continue
            missed = missed_names(file.as_posix(), conversion.before, conversion.after, changed)
            if missed:
                name, other = min(missed.items())
                told = finding("output-not-valid", 1, f"{other.name} needs `{name}` of this file")
                text = conversion.before
                left = Conversion(conversion.path, Outcome.REFUSED, text, text, findings=(told,))
                result[place] = Processed(left, one.read)
                break
        else:
            return result


def _new_text(one: Processed) -> str:
    return one.conversion.after


_STARTED_BY = "its training is started by {}: convert that, or this file alone by --target fabric"
_STARTED_BY_NONE = (
    "nothing in the project starts its training: convert the script that does, or this file alone by --target fabric"
)


def _not_among(files: Sequence[Path], others: Sequence[Path]) -> list[Path]:
    """The other files of the programs that are no files of the run themselves, each once, sorted."""
    if not others:
        return []
    known = {os.path.realpath(file) for file in files}
    found = {real: other for other in others if (real := os.path.realpath(other)) not in known}
    return sorted(found.values(), key=lambda file: file.parts)


def _outside_of(files: list[Path], arguments: Sequence[Path], output: str | None) -> list[Path]:
    """The files without what an earlier run put into the output folder, unless that was named."""
    if output is None or not is_folder(output):
        return files
    folder = Path(os.path.realpath(output))
    if any(Path(os.path.realpath(argument)).is_relative_to(folder) for argument in arguments):
        return files
    return [file for file in files if not Path(os.path.realpath(file)).is_relative_to(folder)]


def in_shard(files: Sequence[Path], number: int, of: int) -> list[Path]:
    """The files of one part of several. Names decide, so that other files that come or go move none from part to part."""
    if of == 1:
        return list(files)
    return [file for file in files if zlib.crc32(os.fsencode(os.path.relpath(file))) % of == number - 1]


def _process(
    files: Sequence[Path],
    options: Options | OptionsOf,
    jobs: int | None,
    cache: Cache | None,
    tell: Callable[[int, int], object],
) -> list[Processed]:
    # Most files of a repository hold no training: they are told by their bytes, before any process starts.
    results = [_at_sight(file, options, cache) for file in files]
    left = [file for file, known in zip(files, results, strict=True) if known is None]
    its_options = [_of(options, file) for file in left]
    work = process_file if cache is None else cache.process
    count = itertools.count(1)
    done = iter(process_files(left, its_options, jobs, work=work, tell=lambda: tell(next(count), len(left))))
    return [known or next(done) for known in results]


def _at_sight(file: Path, options: Options | OptionsOf, cache: Cache | None) -> Processed | None:
    """What a file's bytes tell, or an earlier run; None for a file that is to be looked into."""
    try:
        data = read_file(file)
        torch = mentions_torch(data)
        looked_into = torch and (mentions_skip(data) or may_lead_to_training(data))
        reason = None if looked_into else unchanged_at_sight(data, torch)
    except OSError as error:
        return Processed(failed(file.as_posix(), f"cannot read: {reason_of(error)}"))
    if reason is not None:
        name = file.as_posix()
        return Processed(
            Conversion(name, Outcome.UNCHANGED, reason=why_unchanged(data, name, torch), cause=Cause.NO_LOOP)
        )
    return cache.load(file, _of(options, file), data) if cache is not None else None


def _write(
    files: Sequence[Path], done: Sequence[Processed], places: dict[Path, Path], kept: list[tuple[Path, Path]]
) -> list[Conversion]:
    targets = [Path(os.path.realpath(places[file])) for file, one in zip(files, done, strict=True) if one.result]
    remove_leftovers(target.parent for target in targets)
    is_held = HeldByGit(targets)
    conversions: list[Conversion] = []
    for file, one in zip(files, done, strict=True):
        conversion = one.conversion
        if one.result is not None:
            place = places[file]
            try:
                written = _write_one(place, file, one, one.result, is_held)
                if written.original is not None:
                    beside = place.with_name(written.original.name)
                    kept.append((place, beside if os.path.lexists(beside) else written.original))
                if written.lost:
                    conversion = _with_lost_metadata(conversion, written.lost)
            except (WriteError, OSError) as error:
                reason = f"cannot write: {reason_of(error)}" if isinstance(error, OSError) else str(error)
                conversion = replace(
                    conversion, outcome=Outcome.FAILED, after=conversion.before, error=reason, mechanism=None
                )
        conversions.append(conversion)
    return conversions


def _with_lost_metadata(conversion: Conversion, lost: Sequence[str]) -> Conversion:
    from . import catalogue as catalogue
    from .findings import finding

    told = finding("metadata-not-kept", 0, f"not kept: {'; '.join(lost)}")
    return replace(conversion, findings=(told, *conversion.findings))


def _write_one(place: Path, file: Path, one: Processed, result: bytes, is_held: HeldByGit) -> Written:
    expected: bytes | None = one.read
    if place != file and os.path.realpath(place) != os.path.realpath(file):
        place.parent.mkdir(parents=True, exist_ok=True)
        expected = read_file(place) if os.path.exists(place) else None
    if expected == result:
        return Written()
    return write_file(place, result, expected=expected, is_held=is_held)
