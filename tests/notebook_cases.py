"""Golden notebooks: folders in fixtures/ with a `raw.ipynb` and what it imports.

`converted.ipynb` is the expected output, `findings.txt` what is told.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fixture_cases import FIXTURES, digest

from torch2lit.api import convert
from torch2lit.program import Conversion

EXPECTED = "converted.ipynb"
FINDINGS = "findings.txt"


def notebook_names() -> list[str]:
    """The names of all notebook cases, sorted."""
    return sorted(path.parent.name for path in FIXTURES.glob("*/raw.ipynb"))


def copy_of(name: str, place: Path) -> Path:
    """The raw notebook in a folder of its own, with what lies beside it."""
    folder = place / name
    shutil.copytree(FIXTURES / name, folder, ignore=shutil.ignore_patterns(EXPECTED, FINDINGS, "__pycache__"))
    return folder / "raw.ipynb"


def converted(notebook: Path) -> Conversion:
    """Convert a notebook in place."""
    (conversion,) = convert(notebook, write=True)
    return conversion


def cells(text: str) -> list[dict[str, Any]]:
    """The cells of a notebook's JSON."""
    found: list[dict[str, Any]] = json.loads(text)["cells"]
    return found


def without_code(text: str) -> Any:
    """A notebook's JSON without the sources of its code cells: what no conversion may touch."""
    found = json.loads(text)
    for cell in found["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = type(cell["source"])()
    return found


def write_expected(name: str, conversion: Conversion) -> None:
    """Let a notebook expect this from now on."""
    folder = FIXTURES / name
    (folder / EXPECTED).write_bytes(conversion.after.encode("utf-8"))
    (folder / FINDINGS).write_bytes(digest(conversion).encode("utf-8"))
