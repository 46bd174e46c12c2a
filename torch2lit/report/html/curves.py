"""The losses of a raw and a converted run as two curves, with the step at which they part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
_MOST = 600


@dataclass(frozen=True, slots=True)
class Curves:
    """Points of two SVG polylines, labels of the axes, and the place of the mark (None where nothing parts)."""

    raw: str
    converted: str
    low: str
    high: str
    steps: int
    mark: float | None
    parted: int


def curves_of(raw: Sequence[float], converted: Sequence[float], parted: int = 0) -> Curves | None:
    """The curves of two runs; ``parted`` counts steps from 1, 0 where nothing parts. None without two finite losses."""
    finite = [value for value in (*raw, *converted) if math.isfinite(value)]
    longest = max(len(raw), len(converted))
    if len(finite) < 2 or longest < 2:
        return None
    low, high = min(finite), max(finite)
    height = (high - low) or 1.0

    def points(values: Sequence[float]) -> str:
        stride = max(1, math.ceil(len(values) / _MOST))
        shown = [(i, v) for i, v in enumerate(values) if math.isfinite(v) and (i % stride == 0 or i + 1 == parted)]
        return " ".join(f"{i / (longest - 1) * WIDTH:.1f},{HEIGHT - (v - low) / height * HEIGHT:.1f}" for i, v in shown)

    mark = (parted - 1) / (longest - 1) * WIDTH if parted and parted <= longest else None
    return Curves(points(raw), points(converted), f"{low:.4g}", f"{high:.4g}", longest, mark, parted)
