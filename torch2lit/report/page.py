"""Writes the page for reviewers where `--report` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.writing import write_file
from ..program import Conversion

if TYPE_CHECKING:
    from ..verify import VerifyResult


def write_page(
    path: Path, conversions: Sequence[Conversion], verified: Mapping[str, VerifyResult] | None = None
) -> None:
    """Write one self-contained HTML page about conversions and, by path, their proofs.

    Needs the extra ``report``. Raises WriteError where the file cannot be written.
    """
    from .html.render import render_html

    page = render_html(conversions, verified).encode("utf-8", "replace")
    expected = path.read_bytes() if path.is_file() else None
    write_file(path, page, expected=expected, is_held=lambda _path, _data: True)


def pair(raw: Path, converted: Path) -> Conversion:
    """Two scripts, however the second was made, as the page shows a conversion."""
    from ..program import Outcome

    before, after = (script.read_text(encoding="utf-8", errors="replace") for script in (raw, converted))
    if before == after:
        return Conversion(str(converted), Outcome.UNCHANGED, before, after, reason="the same text")
    return Conversion(str(converted), Outcome.CONVERTED, before, after)
