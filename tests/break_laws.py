"""Break the laws of the design on purpose, one edit at a time, and see that a test fails each time.

    python tests/break_laws.py                    all of tests/law_mutations.py, about five minutes
    python tests/break_laws.py 3 7                the mutations of laws 3 and 7
    python tests/break_laws.py "symlink"          those whose description holds the word
    python tests/break_laws.py --jobs 4

Each edit is made in a temporary copy of the project. A mutation that no named test misses is a survivor: a law that
nothing guards there. The exit code is 1 when there is one, or when an anchor is not found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from law_mutations import MUTATIONS, Mutation, anchor_problem

ROOT = Path(__file__).resolve().parent.parent
_LIMIT = 240
_CARRIED = ("torch2lit", "codemods", "tests", "fixtures", "examples", "docs", "pyproject.toml", "README.md")
_CAUGHT = 1  # what pytest says when tests ran and some failed; everything else is no answer


def chosen(words: Sequence[str]) -> list[Mutation]:
    """The mutations of these laws, or whose description holds one of these words; all without words."""
    return [m for m in MUTATIONS if not words or any(w == str(m.law) or w in m.what for w in words)]


def copy_project(folder: Path) -> None:
    """A copy in which the codemods are where they are when installed."""
    for name in _CARRIED:
        source = ROOT / name
        ignored = shutil.ignore_patterns("*.orig", "benchmarks")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored, symlinks=True)
        elif source.exists():
            shutil.copy2(source, folder / name)
    shutil.move(folder / "codemods", folder / "torch2lit" / "codemods")


def place_of(folder: Path, mutation: Mutation) -> Path:
    """The mutated file in a copy."""
    inside = f"torch2lit/{mutation.file}" if mutation.file.startswith("codemods/") else mutation.file
    return folder / inside


def run_tests(folder: Path, tests: Sequence[str], *, keep_going: bool = False) -> tuple[int, str]:
    """Exit code and output of pytest in a copy; -1 when it takes too long."""
    paths = os.pathsep.join([str(folder), str(folder / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", *tests]
    try:
        done = subprocess.run(
            command if keep_going else [*command, "-x"],
            cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=_LIMIT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, "took too long"
    return done.returncode, done.stdout + done.stderr


def try_one(folder: Path, mutation: Mutation) -> str:
    """What is wrong with the tests for one mutation; "" when they catch it."""
    if problem := anchor_problem(ROOT, mutation):
        return problem
    place = place_of(folder, mutation)
    raw, times = place.read_bytes(), place.stat()
    place.write_bytes(raw.replace(mutation.old.encode(), mutation.new.encode()))
    try:
        code, output = run_tests(folder, mutation.tests)
    finally:
        place.write_bytes(raw)
        os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
    if code == _CAUGHT:
        return ""
    if code == 0:
        return f"SURVIVOR: all pass: {' '.join(mutation.tests)}"
    return f"pytest gave no answer (exit code {code}):\n{output[-1500:]}"


def main() -> int:
    """Try the chosen mutations and tell what survives."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="numbers of laws, or words of descriptions")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-baseline", action="store_true", help="do not run the tests on the unbroken copy first")
    given = parser.parse_args()
    mutations = chosen(given.words)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folders: Queue[Path] = Queue()
        for number in range(given.jobs):
            folder = Path(name) / str(number)
            folder.mkdir()
            copy_project(folder)
            folders.put(folder)
        if not given.no_baseline:
            code, output = run_tests(Path(name) / "0", sorted({t for m in mutations for t in m.tests}), keep_going=True)
            if code:
                print(f"the unbroken copy fails its tests (exit code {code}):\n{output[-4000:]}")
                return 1

        def work(mutation: Mutation) -> tuple[Mutation, str]:
            folder = folders.get()
            try:
                return mutation, try_one(folder, mutation)
            finally:
                folders.put(folder)

        missed = 0
        with ThreadPoolExecutor(given.jobs) as pool:
            for mutation, problem in pool.map(work, mutations):
                missed += bool(problem)
                print(f"law {mutation.law}: {mutation.what}: {problem or 'caught'}", flush=True)
    print(f"{len(mutations) - missed} of {len(mutations)} caught in {time.monotonic() - started:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
