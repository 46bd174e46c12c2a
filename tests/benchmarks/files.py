"""What converting costs per file: ``python tests/benchmarks/files.py FILE_OR_FOLDER ... [--most N]``.

For every file the CPU time of this process through F (libcst's parse and print of the same file), and how often `ast.parse` was called.
The list may be long: ``--most`` takes so many files of it, evenly. It prints the median, the 90th percentile and the worst.
"""

from __future__ import annotations

import argparse
import ast
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from measure import cpu_seconds

from torch2lit.options import Options
from torch2lit.process import process_file
from torch2lit.program import Outcome


@dataclass(frozen=True, slots=True)
class Cost:
    """What one file cost: the better of two conversions, and the parses of the first."""

    path: Path
    ratio: float
    parses: int


def cost_of(path: Path) -> Cost | None:
    """The cost of a file; None for one that is not converted, or that LibCST does not read."""
    options = Options()
    with _counted() as parses:
        first = cpu_seconds(lambda: process_file(path, options), 1)
        counted = parses[0]
    if process_file(path, options).conversion.outcome is not Outcome.CONVERTED:
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        floor = min(cpu_seconds(lambda: cst.parse_module(text).code, 1) for _ in range(3))
    except cst.ParserSyntaxError:
        return None
    again = cpu_seconds(lambda: process_file(path, options), 1)
    return Cost(path, min(first, again) / floor, counted)


@contextmanager
def _counted() -> Iterator[list[int]]:
    """How often a text is parsed in the block."""
    count, parse = [0], ast.parse

    def counting(*args: object, **named: object) -> object:
        count[0] += 1
        return parse(*args, **named)  # type: ignore[call-overload]

    ast.parse = counting  # type: ignore[assignment]
    try:
        yield count
    finally:
        ast.parse = parse


def line(name: str, values: list[float]) -> str:
    """The distribution of some values."""
    ordered = sorted(values)
    tail = ordered[int(len(ordered) * 0.9)]
    return f"{name:<20} median {statistics.median(ordered):5.1f}  9 of 10 below {tail:5.1f}  worst {ordered[-1]:6.1f}"


def main() -> None:
    """Measure the files and print two lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="Python files, and folders of such")
    parser.add_argument("--most", type=int, default=60, help="how many of them are measured")
    given = parser.parse_args()
    found = [file for path in given.paths for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))]
    chosen = found[:: max(1, len(found) // given.most)][: given.most]
    process_file(chosen[0], Options())
    costs = [cost for file in chosen if (cost := cost_of(file)) is not None]
    print(f"{len(costs)} of {len(chosen)} files are converted")
    print(line("CPU time / F", [cost.ratio for cost in costs]))
    print(line("parses per file", [cost.parses for cost in costs]))


if __name__ == "__main__":
    main()
