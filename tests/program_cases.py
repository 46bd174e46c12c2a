"""Golden programs of several files: folders in fixtures/ with a `train.py` and what it imports, and no `raw.py`.

`converted/` holds the files that change, `findings.txt` what is told of each file of the run.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from fixture_cases import FIXTURES, digest

from torch2lit.api import convert
from torch2lit.program import Conversion

EXPECTED = "converted"
FINDINGS = "findings.txt"


def program_names() -> list[str]:
    """The names of all programs, sorted."""
    return sorted(path.parent.name for path in FIXTURES.glob("*/train.py"))


def processes_of(name: str) -> int | None:
    """In how many processes torchrun starts a program; None for one that it does not start."""
    joins = any("init_process_group" in text for text in texts(FIXTURES / name).values())
    return 2 if joins else None


def copy_of(name: str, place: Path) -> Path:
    """The raw program in a folder of its own; the path of its entry script."""
    folder = place / "program"
    shutil.copytree(FIXTURES / name, folder, ignore=shutil.ignore_patterns(EXPECTED, FINDINGS, "__pycache__", "*.orig"))
    return folder / "train.py"


def converted(entry: Path) -> tuple[list[Conversion], dict[str, str], str]:
    """Convert a program in place: the conversions, the changed files, and the text of findings.txt."""
    folder = entry.parent
    before = texts(folder)
    conversions = convert(entry, write=True)
    changed = {name: text for name, text in texts(folder).items() if before.get(name) != text}
    told = "".join(f"{Path(c.path).name}: {digest(c)}" for c in conversions)
    return conversions, changed, told


def texts(folder: Path) -> dict[str, str]:
    """The text of every Python file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in sorted(folder.rglob("*.py"))}


def contents(folder: Path) -> list[tuple[str, bytes]]:
    """What every file below a folder holds."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in files]


def expected(name: str) -> tuple[dict[str, str], str]:
    """The changed files and the text of findings.txt that a program is to have."""
    folder = FIXTURES / name
    told = folder / FINDINGS
    return texts(folder / EXPECTED), told.read_text("utf-8") if told.exists() else ""


def write_expected(name: str, changed: dict[str, str], told: str) -> None:
    """Let a program expect this from now on."""
    folder = FIXTURES / name
    shutil.rmtree(folder / EXPECTED, ignore_errors=True)
    for file, text in changed.items():
        place = folder / EXPECTED / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    (folder / FINDINGS).write_text(told, "utf-8")
