"""The folder of results, and what stands for the code that makes them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import time
from importlib.util import find_spec
from pathlib import Path

_KEPT_DAYS = 30
_SWEPT = "swept"


def cache_folder() -> Path:
    """Where results are kept: ``TORCH2LIT_CACHE_DIR``, else the user's own folder for caches."""
    if named := os.environ.get("TORCH2LIT_CACHE_DIR"):
        return Path(named).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("torch2lit", appauthor=False)


def own_folder(folder: Path) -> bool:
    """Whether the folder is there and nobody else can put a result into it: what is read from it is unpickled."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = folder.stat()
    except OSError:
        return False
    if not hasattr(os, "getuid"):
        return os.access(folder, os.W_OK)
    return state.st_uid == os.getuid() and not stat.S_IMODE(state.st_mode) & 0o022 and os.access(folder, os.W_OK)


def own_version() -> str:
    """What stands for torch2lit's own code, the interpreter and what is installed beside it."""
    home = Path(__file__).resolve().parent.parent
    states = [(str(file), state.st_size, state.st_mtime_ns) for file in _code(home) if (state := file.stat())]
    places = []
    for entry in sys.path:
        with contextlib.suppress(OSError):
            places.append((entry, os.stat(entry).st_mtime_ns) if "-packages" in entry else (entry, 0))
    told = (sys.version, states, places, os.environ.get("PYTHONPATH", ""))
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).hexdigest()


def put(place: Path, data: bytes) -> None:
    """Put a result into the folder, whole or not at all."""
    part = place.with_name(f"{place.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a full disk
        try:
            part.write_bytes(data)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove, at most once a day, what nobody asked for in a month, and what other versions left."""
    mark = folder.parent / _SWEPT
    with contextlib.suppress(OSError):
        now = time.time()
        if mark.exists() and now - mark.stat().st_mtime < 86400:
            return
        mark.touch()
        for place in folder.parent.glob("*/*.result"):
            if now - place.stat().st_mtime > _KEPT_DAYS * 86400:
                place.unlink()


def _code(home: Path) -> list[Path]:
    found = find_spec("torch2lit.codemods")
    places = (found.submodule_search_locations or ()) if found is not None else ()
    return sorted({file for place in (home, *map(Path, places)) for file in place.rglob("*.py")})
