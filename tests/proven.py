"""Runs that need not be repeated: which texts were run and compared before, in the same environment and by the same harness.

What a comparison of two runs gives follows from what was run (scripts, arguments, files, what must hold) and from what ran it: Python, torch, Lightning, numpy, and the files
that record and compare. `tests/proven.txt` has a digest of all that for each comparison that has held. Where one of them is another, the digest is, too, and the comparison
is made as ever: a conversion that comes out differently is always run. An eighth of all cases is run each time, whatever is known of them.

    python tests/prove.py            runs everything and writes tests/proven.txt
    TORCH2LIT_PROVEN=none pytest     runs everything
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

TESTS = Path(__file__).resolve().parent
KNOWN = TESTS / "proven.txt"
NOTE = "TORCH2LIT_NOTE_PROVEN"
"""Where to note what holds, and nothing is taken for known meanwhile."""
_VERIFY = TESTS.parent / "torch2lit" / "verify"
_HARNESS = (
    *(TESTS / f"{name}.py" for name in ("fixture_runs", "legacy_torch", "event_files")),
    *(_VERIFY / f"{name}.py" for name in ("trace", "digest", "events", "owners", "set_up", "compare")),
)
_PROCESSES = (
    *(TESTS / f"{name}.py" for name in ("warm_starts", "nursery", "warm_spawns")),
    *sorted(_VERIFY.rglob("*.py")),
)
_PACKAGES = ("torch", "lightning", "numpy")
_LENGTH = 12
_EACH_TIME = 8


def unless_proven(
    name: str, parts: tuple[object, ...], compare: Callable[[], None], *, processes: bool = False
) -> None:
    """Make a comparison, unless one of the same parts has held before. ``name`` is that of the case, ``parts`` is all that the answer follows from.

    ``processes``: the runs are in processes of their own, as `verify` starts them.
    """
    digest = hashlib.sha256(repr((harness(processes), *parts)).encode()).hexdigest()[:_LENGTH]
    if digest in known() and zlib.crc32(name.encode()) % _EACH_TIME:
        return
    compare()
    if note := os.environ.get(NOTE):
        with open(note, "a", encoding="ascii") as file:
            file.write(f"{digest}\n")


@functools.cache
def known() -> frozenset[str]:
    """The digests of what has held."""
    if os.environ.get("TORCH2LIT_PROVEN") == "none" or os.environ.get(NOTE) or not KNOWN.exists():
        return frozenset()
    return frozenset(KNOWN.read_text("ascii").split())


@functools.cache
def harness(processes: bool) -> str:
    """What stands for everything that runs and compares."""
    told = hashlib.sha256(repr((sys.version_info[:2], sys.platform, *map(_version, _PACKAGES))).encode())
    for file in (*_HARNESS, *(_PROCESSES if processes else ())):
        told.update(file.read_bytes())
    return told.hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return ""
