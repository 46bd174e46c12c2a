"""The folder of results: one file for each converted file, options and version of torch2lit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
import time
from pathlib import Path

from .. import __version__
from ..files.asked import noting
from ..options import Options
from ..process import Processed, process_file
from ..program import Outcome
from .folder import own_folder, own_version, put, sweep
from .witness import Witness, Witnesses

_SLOW = "took-too-long"


class Cache:
    """Results in a folder. Whatever is wrong with the folder only costs the time that it would have saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / __version__
        self._version = own_version()
        self._witnesses = Witnesses()
        self._usable = own_folder(self.folder)

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
            asked.contents |= contents_of_extensions()
            if (witness := Witness.of(asked, before)) is not None:
                self._keep(self._place(path, options, processed.read), witness, processed)
        return processed

    def sweep(self) -> None:
        """Remove, at most once a day, what nobody asked for in a month, and what other versions left."""
        if self._usable:
            sweep(self.folder)

    def _place(self, path: Path, options: Options, data: bytes) -> Path:
        told = (self._version, repr(options), os.path.abspath(path), path.as_posix(), hashlib.sha256(data).hexdigest())
        return self.folder / f"{hashlib.sha256(repr(told).encode('utf-8', 'surrogateescape')).hexdigest()}.result"

    def _keep(self, place: Path, witness: Witness, processed: Processed) -> None:
        with contextlib.suppress(Exception):  # what cannot be written down
            put(place, pickle.dumps((witness, processed), protocol=pickle.HIGHEST_PROTOCOL))


def _lasts(processed: Processed) -> bool:
    """Whether a result says something about the file: no failure, and not that time ran out."""
    one = processed.conversion
    return one.outcome is not Outcome.FAILED and all(f.slug != _SLOW for f in one.findings) and bool(processed.read)


def contents_of_extensions() -> dict[str, str]:
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
