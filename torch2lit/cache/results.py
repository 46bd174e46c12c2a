"""The folder of results: one file for each converted file, options and version of torch2lit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import stat
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from .. import __version__
from ..files.asked import noting
from ..options import Options
from ..process import Processed, process_file
from ..program import Outcome
from .witness import Witness, Witnesses

_KEPT_DAYS = 30
_SWEPT = "swept"
_SLOW = "took-too-long"


def cache_folder() -> Path:
    """Where results are kept: ``TORCH2LIT_CACHE_DIR``, else the user's own folder for caches."""
    if named := os.environ.get("TORCH2LIT_CACHE_DIR"):
        return Path(named).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("torch2lit", appauthor=False)


class Cache:
    """Results in a folder. Whatever is wrong with the folder only costs the time that it would have saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / __version__
        self._version = _own_version()
        self._witnesses = Witnesses()
        self._usable = _own_folder(self.folder)

    def load(self, path: Path, options: Options, data: bytes) -> Processed | None:
        """What an earlier run made of a file with this content, as long as all that it asked would be answered the same."""
        if not self._usable:
            return None
        place = self._place(path, options, data)
        with contextlib.suppress(Exception):  # another version of Python or a file that was cut off: not a result
            witness, processed = pickle.loads(place.read_bytes())
            if isinstance(processed, Processed) and self._witnesses.still(witness):
                os.utime(place)
                return processed
        return None

    def process(self, path: Path, options: Options) -> Processed:
        """Convert a file in memory and keep the result."""
        if not self._usable:
            return process_file(path, options)
        before = time.time_ns()
        with noting() as asked:
            processed = process_file(path, options)
        if _lasts(processed):
            asked.contents |= _contents_of_extensions()
            if (witness := Witness.of(asked, before)) is not None:
                self._keep(self._place(path, options, processed.read), witness, processed)
        return processed

    def sweep(self) -> None:
        """Remove, at most once a day, what nobody asked for in a month, and what other versions left."""
        mark = self.folder.parent / _SWEPT
        with contextlib.suppress(OSError):
            now = time.time()
            if not self._usable or (mark.exists() and now - mark.stat().st_mtime < 86400):
                return
            mark.touch()
            for place in self.folder.parent.glob("*/*.result"):
                if now - place.stat().st_mtime > _KEPT_DAYS * 86400:
                    place.unlink()

    def _place(self, path: Path, options: Options, data: bytes) -> Path:
        told = (self._version, repr(options), os.path.abspath(path), path.as_posix(), hashlib.sha256(data).hexdigest())
        return self.folder / f"{hashlib.sha256(repr(told).encode('utf-8', 'surrogateescape')).hexdigest()}.result"

    def _keep(self, place: Path, witness: Witness, processed: Processed) -> None:
        part = place.with_name(f"{place.name}.{os.getpid()}")
        with contextlib.suppress(Exception):  # a full disk, or what cannot be written down
            try:
                part.write_bytes(pickle.dumps((witness, processed), protocol=pickle.HIGHEST_PROTOCOL))
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)


def _lasts(processed: Processed) -> bool:
    """Whether a result says something about the file: no failure, and not that time ran out."""
    one = processed.conversion
    return one.outcome is not Outcome.FAILED and all(f.slug != _SLOW for f in one.findings) and bool(processed.read)


def _own_version() -> str:
    """What stands for torch2lit's own code, the interpreter and what is installed beside it."""
    home = Path(__file__).resolve().parent.parent
    states = [(str(file), state.st_size, state.st_mtime_ns) for file in _code(home) if (state := file.stat())]
    places = []
    for entry in sys.path:
        with contextlib.suppress(OSError):
            places.append((entry, os.stat(entry).st_mtime_ns) if "-packages" in entry else (entry, 0))
    told = (sys.version, states, places, os.environ.get("PYTHONPATH", ""))
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).hexdigest()


def _code(home: Path) -> list[Path]:
    found = find_spec("torch2lit.codemods")
    places = (found.submodule_search_locations or ()) if found is not None else ()
    return sorted({file for place in (home, *map(Path, places)) for file in place.rglob("*.py")})


def _contents_of_extensions() -> dict[str, str]:
    """The code of other packages' rewrites, which their authors change without a new version."""
    from ..files.asked import digest_of
    from ..installed import other_packages

    found: dict[str, str] = {}
    if not (others := other_packages()):
        return found
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name.partition(".")[0] in others:
            with contextlib.suppress(OSError):
                found[os.path.abspath(file)] = digest_of(Path(file).read_bytes())
    return found


def _own_folder(folder: Path) -> bool:
    """Whether the folder is there and nobody else can put a result into it: what is read from it is unpickled."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = folder.stat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return os.access(folder, os.W_OK)
    return state.st_uid == os.getuid() and not stat.S_IMODE(state.st_mode) & 0o022 and os.access(folder, os.W_OK)
