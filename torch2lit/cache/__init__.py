"""Results of earlier runs, kept for files that would be told the same: as black and ruff do it."""

from __future__ import annotations

from .folder import cache_folder
from .results import Cache

__all__ = ["Cache", "cache_folder"]
