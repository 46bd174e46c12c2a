"""The safety table: what torch2lit promises in hard situations. ``pytest -s tests/test_safety_table.py`` prints it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import safety_reading as safety_reading
import safety_writing as safety_writing
from safety_rows import ROWS, Row

_RESULTS: dict[str, str] = {}


def _missing(row: Row) -> str | None:
    is_posix = os.name == "posix"
    holds = {
        "posix": is_posix,
        "linux": sys.platform == "linux",
        "root": is_posix and os.geteuid() == 0,
        "user": is_posix and os.geteuid() != 0,
        "torch": _has("torch") and _has("lightning"),
    }
    return next((need for need in row.needs if not holds[need]), None)


def _has(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print the table when all of it has run."""
    yield
    width = max(len(row.situation) for row in ROWS)
    area = ""
    for row in ROWS:
        if row.area != area:
            area = row.area
            print(f"\n{area}")
        print(f"  {_RESULTS.get(row.situation, 'not run'):8} {row.situation:{width}}  {row.promise}")


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.area}: {row.situation}".replace("/", "|"))
def test_promise(row: Row, tmp_path: Path) -> None:
    need = _missing(row)
    if need is not None:
        _RESULTS[row.situation] = f"({need})"
        pytest.skip(f"only for: {need}")
    folder = tmp_path / "work"
    folder.mkdir()
    _RESULTS[row.situation] = "BROKEN"
    row.check(folder)
    _RESULTS[row.situation] = "holds"
