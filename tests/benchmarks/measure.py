"""What the benchmarks share: rows, timing, and the scripts that are measured."""

from __future__ import annotations

import ast
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``at_least`` turns the budget round: more is better."""

    name: str
    value: float
    budget: float
    detail: str = ""
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the budget is kept."""
        return self.value >= self.budget if self.at_least else self.value <= self.budget


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run measures: scripts that convert, and how often each measurement is repeated."""

    scripts: tuple[Path, ...]
    rounds: int

    @property
    def median_script(self) -> Path:
        """The script of median length."""
        ordered = sorted(self.scripts, key=lambda path: (path.stat().st_size, path.as_posix()))
        return ordered[len(ordered) // 2]


def training_scripts(folders: Iterable[Path]) -> tuple[Path, ...]:
    """The scripts of fixtures, examples and further folders that convert."""
    from torch2lit.options import Options
    from torch2lit.process import process_file
    from torch2lit.program import Outcome

    paths = [*(ROOT / "fixtures").glob("*/raw.py"), *(ROOT / "examples").glob("*.py")]
    for folder in folders:
        paths += [folder] if folder.is_file() else folder.rglob("*.py")
    return tuple(
        path
        for path in sorted(paths)
        if process_file(path, Options()).conversion.outcome is Outcome.CONVERTED and _is_python(path)
    )


def _is_python(path: Path) -> bool:
    """Whether the raw script parses: one for an older Python cannot be measured against parsing it."""
    try:
        ast.parse(path.read_bytes())
    except SyntaxError:
        return False
    return True


def cpu_seconds(work: Callable[[], object], rounds: int) -> float:
    """The median CPU time of this process for one call."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return statistics.median(times)


def ratio(one: Callable[[], object], other: Callable[[], object], rounds: int) -> float:
    """The median over the rounds of one's CPU time through the other's, measured in turns."""
    return statistics.median(cpu_seconds(one, 1) / cpu_seconds(other, 1) for _ in range(rounds))


def spread(values: list[float]) -> str:
    """The tail of a distribution in words."""
    ordered = sorted(values)
    return f"{len(ordered)} files, 9 of 10 below {ordered[int(len(ordered) * 0.9)]:.1f}, worst {ordered[-1]:.1f}"
