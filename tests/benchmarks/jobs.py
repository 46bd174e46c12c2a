"""Two processes against one."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from measure import Row, Setting

from torch2lit.options import Options
from torch2lit.parallel import process_files, usable_cpus


def rows(setting: Setting) -> list[Row]:
    """Wall time, all scripts; [] on a machine with one CPU."""
    if usable_cpus() < 2:
        return []
    paths = list(setting.scripts) * 2
    values = [_wall(paths, 1) / _wall(paths, 2) for _ in range(setting.rounds)]
    return [Row("jobs", statistics.median(values), 1.6, f"x faster with 2; {len(paths)} files", at_least=True)]


def _wall(paths: list[Path], jobs: int) -> float:
    start = time.perf_counter()
    process_files(paths, [Options()] * len(paths), jobs)
    return time.perf_counter() - start
