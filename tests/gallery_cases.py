"""The gallery in docs/gallery: own scripts of real size, notebooks and programs, what they become, and the proof of each."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from torch2lit.api import convert
from torch2lit.program import Conversion

GALLERY = Path(__file__).resolve().parent.parent / "docs" / "gallery"
PROOFS = GALLERY / "proofs.json"
CONVERTED = "converted"
_ENTRIES = ("train.py", "main.py", "train.ipynb")


def gallery_names() -> list[str]:
    """The names of all entries, sorted."""
    return sorted(folder.name for folder in GALLERY.iterdir() if folder.is_dir() and not folder.name.startswith("_"))


def copy_of(name: str, place: Path) -> Path:
    """The raw program in a folder of its own; the path of the script or notebook that starts it."""
    folder = place / name
    shutil.copytree(GALLERY / name, folder, ignore=shutil.ignore_patterns(CONVERTED, "__pycache__"))
    return next(folder / entry for entry in _ENTRIES if (folder / entry).exists())


def converted(entry: Path) -> tuple[Conversion, dict[str, str]]:
    """Convert a program in place: what happened to the entry, and the files that changed."""
    before = _texts(entry.parent)
    conversions = convert(entry, write=True, jobs=1)
    changed = {name: text for name, text in _texts(entry.parent).items() if before.get(name) != text}
    return next(one for one in conversions if Path(one.path).name == entry.name), changed


def expected(name: str) -> dict[str, str]:
    """The files that a program is to become."""
    return _texts(GALLERY / name / CONVERTED)


def write_expected(name: str, changed: dict[str, str]) -> None:
    """Let a program become this from now on."""
    folder = GALLERY / name / CONVERTED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file, text in changed.items():
        (folder / file).write_text(text, encoding="utf-8")


def digest_of(name: str) -> str:
    """What a proof is about: the raw and the converted files, by their contents."""
    raw = _texts(GALLERY / name)
    said = json.dumps([sorted(raw.items()), sorted(expected(name).items())])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def proofs() -> dict[str, dict[str, Any]]:
    """What `verify` found for each entry when it was run last."""
    found: dict[str, dict[str, Any]] = json.loads(PROOFS.read_text(encoding="utf-8"))
    return found


def _texts(folder: Path) -> dict[str, str]:
    files = [file for file in sorted(folder.glob("*")) if file.suffix in (".py", ".ipynb")]
    return {file.name: file.read_text(encoding="utf-8") for file in files}
