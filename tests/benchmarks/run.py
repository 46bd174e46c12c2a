"""Measure everything and print one table: see the README beside this file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import growth
import in_process
import jobs
import memory
import processes
import skipping
from measure import Row, Setting, training_scripts

MEASURES: dict[str, Callable[[Setting], list[Row]]] = {
    "convert": in_process.rows,
    "processes": processes.rows,
    "skipped": skipping.rows,
    "reassigned": growth.rows,
    "memory": memory.rows,
    "jobs": jobs.rows,
}


def main() -> int:
    """Print the table; exit 1 when a budget is missed by more than the given head-room."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="further folders or files with training scripts")
    parser.add_argument("--only", choices=[*MEASURES], action="append", help="measure only this (may be repeated)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each measurement is repeated")
    parser.add_argument("--headroom", type=float, default=0.25, help="by how much a budget may be missed")
    given = parser.parse_args()
    setting = Setting(training_scripts(given.folders), given.rounds)
    missed = False
    print(f"{'what':<18} {'measured':>9} {'budget':>9}")
    for name, measure in MEASURES.items():
        if given.only and name not in given.only:
            continue
        for row in measure(setting):
            sign = ">=" if row.at_least else "<="
            verdict = "" if row.holds else " missed"
            print(f"{row.name:<18} {row.value:>9.2f} {sign:>3} {row.budget:>5g}  {row.detail}{verdict}", flush=True)
            slack = 1 - given.headroom if row.at_least else 1 + given.headroom
            limit = row.budget * slack
            missed |= row.value < limit if row.at_least else row.value > limit
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
