"""With ``--checkpoints callback`` the script's own files are the same, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
import warm_starts
from fixture_cases import case

from torch2lit.api import convert_source
from torch2lit.options import Options


@pytest.mark.needs("torch", "lightning")
@pytest.mark.usefixtures("warm")
def test_the_files_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    raw = case("best-model-by-own-callback").raw
    converted = convert_source(raw, "train.py", Options(checkpoints="callback"))
    files: list[dict[str, bytes]] = []
    for name, text in (("raw", raw), ("converted", converted.after)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "train.py").write_text(text, encoding="utf-8")
        warm_starts.python(folder / "train.py").check_returncode()
        files.append({p.name: p.read_bytes() for p in folder.glob("*.pt*")})

    assert sorted(files[0]) == ["best.pth", *(f"epoch{n}.pt" for n in range(5))]
    assert files[0] == files[1]
