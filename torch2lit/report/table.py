"""Aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from ..terminal import plain

MAX_CELL = 60


def table(header: Sequence[str], rows: Sequence[Sequence[str]], indent: str = "  ") -> str:
    """Rows under a header, columns two spaces apart. All but the last column are cut at 60 characters."""
    cells = [[*map(_short, row[:-1]), _single(row[-1])] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "".join(
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip() + "\n"
        for row in cells
    )


def _short(cell: str) -> str:
    cell = _single(cell)
    return cell if len(cell) <= MAX_CELL else cell[: MAX_CELL - 1] + "…"


def _single(cell: str) -> str:
    return plain(" ".join(cell.split()))
