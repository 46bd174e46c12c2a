"""What a proof costs: ``python tests/benchmarks/verifying.py SCRIPT [ARGS...]``.

CPU time of `torch2lit verify`, with all processes that it starts, through that of the script alone: once as a user starts it, and once with one thread, as
both runs of a proof have it. The best of ``ROUNDS`` (3), one after the other, so that a busy machine changes both sides.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

_ROUNDS = int(os.environ.get("ROUNDS", "3"))
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def cpu_seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """CPU time of a program and of all that it waits for."""
    before = os.times()
    subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and print a table."""
    script, arguments = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as cache:
        verify = [sys.executable, "-m", "torch2lit", "verify", script, "--", *arguments]
        alone = [sys.executable, script, *arguments]
        rows: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
            "the script": (alone, {}),
            "the script, one thread": (alone, _ONE_THREAD),
            "verify": ([*verify[:4], "--no-cache", *verify[4:]], {}),
            "verify again": (verify, {"TORCH2LIT_CACHE_DIR": cache}),
        }
        cpu_seconds(*rows["verify again"])
        best = {name: min(cpu_seconds(*row) for _ in range(_ROUNDS)) for name, row in rows.items()}
    for name, seconds in best.items():
        shown = (
            f"{seconds / best['the script']:6.2f} x {seconds / best['the script, one thread']:6.2f} x with one thread"
        )
        print(f"{name:<24}{seconds:7.2f} s {shown}")


if __name__ == "__main__":
    main()
