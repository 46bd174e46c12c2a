"""Results of earlier proofs, kept as long as both runs would be the same: their scripts, all that they read, their environment and all that runs them.

A result that is told without a run has to be as good as a run. So what a proof rests on is noted by the runs themselves (`reads.py`), and a result is only kept when
nobody changed any of it meanwhile and nothing was asked that cannot be asked again. A file is known by size, inode and times: the time of its last change of state
(ctime) is set by the system and by nobody else, so what keeps all of them is the same file with the same content. To read everything again, torch among it, would
take as long as many a training.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch2lit.cache.folder import own_folder, own_version, put, sweep
from torch2lit.files.asked import Asked
from torch2lit.options import Options

from .reads import FOUND, KIND, LISTED, MISSING, SCANNED, UNSEEN, told_in
from .repeat import asks_the_clock
from .result import VerifyResult
from .run import Run, environment_of_runs
from .workspace import project_of

_ROUGH_TICK = 2_000_000_000
_TICK = 20_000_000
"""Nanoseconds in which a file may change twice without another time: of a system that counts in seconds, and of all others."""
_SUFFIX = ".verified.result"

Answer = tuple[Any, ...] | None
Question = tuple[str, str]


@dataclass(frozen=True, slots=True)
class KeptResults:
    """A folder of results. Whatever is wrong with it only costs the time that it would have saved."""

    folder: Path

    def asking(
        self,
        raw: Path,
        converted: Path | None,
        arguments: Sequence[str],
        *,
        options: Options,
        steps: int | None,
        synthetic: bool,
        python: str,
        terminal: bool,
    ) -> Asking | None:
        """Ask for the result of a proof. None where none is kept: on systems that do not tell enough of their files."""
        from torch2lit import __version__

        folder = self.folder / __version__
        if sys.platform == "win32" or not own_folder(folder):
            return None
        scripts = [path for path in (raw, converted) if path is not None]
        told = (
            own_version(),
            [(str(path), str(path.absolute()), str(path.resolve()), str(project_of(path))) for path in scripts],
            (tuple(arguments), repr(options), steps, synthetic, terminal),
            (os.path.realpath(python), os.path.abspath(python), os.getcwd()),
            sorted(environment_of_runs().items()),
            _machine(),
        )
        name = hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).hexdigest()
        return Asking(folder / f"{name}{_SUFFIX}", tuple(scripts), python, time.time_ns())


@dataclass(frozen=True, slots=True)
class Asking:
    """One question for a result, and since when its answer is looked for."""

    place: Path
    scripts: tuple[Path, ...]
    python: str
    since: int

    def answer(self) -> VerifyResult | None:
        """The kept result, with the time at which it was found; None when there is none or something changed."""
        with contextlib.suppress(Exception):  # another version of Python or a file that was cut off: not a result
            when, witness, result = pickle.loads(self.place.read_bytes())
            if isinstance(result, VerifyResult) and all(_answer(*asked) == told for asked, told in witness.items()):
                os.utime(self.place)
                return replace(result, kept=when)
        return None

    def keep(self, result: VerifyResult, conversion: Asked | None, notes: Sequence[Path]) -> None:
        """Keep a result, if it is one that lasts."""
        from torch2lit.cache.results import contents_of_extensions

        if not _lasts(result):
            return
        questions: set[Question] = {(FOUND, str(path.absolute())) for path in self.scripts}
        questions.add((FOUND, os.path.abspath(self.python)))
        if conversion is not None:
            conversion.contents |= contents_of_extensions()
            questions |= set(_of_conversion(conversion))
        for file in notes:
            questions |= set(told_in(file.read_bytes()))
        witness = self._witness(questions)
        if witness is not None and not any(map(_by_chance, self._python_files(questions))):
            put(self.place, pickle.dumps((time.time(), witness, result), protocol=pickle.HIGHEST_PROTOCOL))
            sweep(self.place.parent)

    def _witness(self, questions: Iterable[Question]) -> Mapping[Question, Answer] | None:
        """The answers that hold since before the first run; None when one of them does not, or cannot be asked for again."""
        found: dict[Question, Answer] = {}
        for kind, path in questions:
            if kind == UNSEEN:
                return None
            asked = (FOUND if kind == MISSING else kind, path)
            answer = _answer(*asked)
            if (kind == MISSING) != (answer is None) and not (kind == MISSING and self._is_left_out(path)):
                return None
            if answer is not None and any(not self._is_old(time) for time in _times(*asked)):
                return None
            found[asked] = answer
        return found

    def _is_left_out(self, path: str) -> bool:
        """Whether something was there before the runs already, which do not see all of a project (`.git`)."""
        return all(self._is_old(time) for time in _times(SCANNED if os.path.isdir(path) else FOUND, path))

    def _is_old(self, when: int) -> bool:
        return when < self.since - (_TICK if when % 1_000_000_000 else _ROUGH_TICK)

    def _python_files(self, questions: Iterable[Question]) -> Iterator[Path]:
        projects = {project_of(script) for script in self.scripts}
        for kind, path in questions:
            file = Path(path)
            if kind == FOUND and file.suffix in (".py", ".ipynb") and not projects.isdisjoint(file.parents):
                yield file


def _lasts(result: VerifyResult) -> bool:
    """Whether a result is the whole truth: the same, of two runs of one process each that came to their end and left nothing outside."""
    runs = [run for run in (result.raw, result.converted) if run is not None]
    return (
        result.status == "identical"
        and result.cut_after == 0
        and result.resumed is None
        and len(runs) == 2
        and all(map(_came_to_its_end, runs))
    )


def _came_to_its_end(run: Run) -> bool:
    whole = run.trace.ended in ("exit", "limit") and run.returncode == 0
    return whole and not run.timed_out and not run.peers and not run.outside


def _by_chance(file: Path) -> bool:
    """Whether a file of the project asks the clock or the system for what may be otherwise the next time."""
    from .notebook import code_of

    try:
        text = file.read_text(encoding="utf-8")
        return asks_the_clock(code_of(text) if file.suffix == ".ipynb" else text)
    except (OSError, ValueError):
        return True


def _of_conversion(asked: Asked) -> Iterator[Question]:
    for path in asked.contents:
        yield (FOUND if os.path.lexists(path) else MISSING), path
    for path, kind in asked.kinds.items():
        yield (FOUND if kind else MISSING), path
    for path in asked.names:
        yield (SCANNED if os.path.lexists(path) else MISSING), path


def _answer(kind: str, path: str) -> Answer:
    """What the file system says now; None when there is nothing."""
    try:
        state = os.lstat(path)
        if stat.S_ISLNK(state.st_mode):
            return (*_of_state(os.lstat(path), kind), os.readlink(path), _followed(kind, path))
        if kind in (LISTED, SCANNED):
            return _names(path, kind == SCANNED)
        return _of_state(state, kind)
    except (OSError, ValueError):
        return None


def _followed(kind: str, path: str) -> Answer:
    try:
        return _names(path, kind == SCANNED) if kind in (LISTED, SCANNED) else _of_state(os.stat(path), kind)
    except (OSError, ValueError):
        return None


def _of_state(state: os.stat_result, kind: str) -> tuple[Any, ...]:
    told = (state.st_mode, state.st_uid, state.st_gid)
    if kind == KIND or stat.S_ISDIR(state.st_mode):
        return told
    return (*told, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def _names(folder: str, with_states: bool) -> tuple[Any, ...]:
    """The names in a folder in the order in which the system tells them."""
    told = hashlib.sha256()
    with os.scandir(folder) as entries:
        for entry in entries:
            told.update(os.fsencode(entry.name) + b"\0")
            if with_states:
                told.update(repr(_answer(FOUND, entry.path)).encode())
    return ("names", told.hexdigest())


def _times(kind: str, path: str) -> Iterator[int]:
    """When that last changed on which the answer rests."""
    if kind == KIND:
        return
    with contextlib.suppress(OSError):
        for state in (os.lstat(path), os.stat(path)):
            if kind in (LISTED, SCANNED) or not stat.S_ISDIR(state.st_mode):
                yield max(state.st_mtime_ns, state.st_ctime_ns)
        if kind == SCANNED:
            with os.scandir(path) as entries:
                for entry in entries:
                    yield from _times(FOUND, entry.path)


def _machine() -> tuple[Any, ...]:
    """What the numbers of a training may hang on: the system, and the kind of its processors, by which torch chooses its kernels."""
    kind = ""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as told:
        lines = {line for line in told if line.startswith(("model name", "flags", "Features", "CPU part"))}
        kind = hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (tuple(os.uname()), kind, count, os.getuid(), os.getgid())
