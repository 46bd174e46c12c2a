"""Results of earlier runs, kept for files that would be told the same: as black and ruff do it."""

from __future__ import annotations

from .results import Cache, cache_folder

__all__ = ["Cache", "cache_folder"]
