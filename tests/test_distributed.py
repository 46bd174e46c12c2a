"""Golden cases of several processes: every rank takes the same optimizer steps before and after conversion, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from fixture_cases import Case, case, names

from torch2lit.api import verify
from torch2lit.verify import VerifyResult

DISTRIBUTED = [name for name in names() if case(name).processes is not None]
MISTAKES = [(name, *mistake) for name in DISTRIBUTED for mistake in case(name).mistakes]


def compared(c: Case, folder: Path, text: str) -> VerifyResult:
    """The raw script of a case beside another text, in as many processes as the case says."""
    raw, other = folder / "raw.py", folder / "other.py"
    raw.write_text(c.raw, encoding="utf-8")
    other.write_text(text, encoding="utf-8")
    processes = c.processes if isinstance(c.processes, int) else None
    return verify(raw, other, c.arguments, options=c.options, processes=processes, timeout=240)


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTRIBUTED)
def test_every_process_trains_the_same(name: str, tmp_path: Path) -> None:
    c = case(name)
    result = compared(c, tmp_path, c.converted_file.read_text(encoding="utf-8"))
    assert result.status == "identical", result.render()
    assert len(result.ranks) == 2
    assert all(rank.decimals_identical for rank in result.ranks), "other numbers were printed"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_would_be_seen(name: str, old: str, new: str, tmp_path: Path) -> None:
    c = case(name)
    assert c.raw.count(old) == 1
    assert compared(c, tmp_path, c.raw.replace(old, new)).status == "differs"
