"""Run every comparison of two runs, and write down those that hold: `python tests/prove.py [OPTIONS OF PYTEST]`, see tests/proven.py.

To be done when what records and compares runs has changed, or the versions in constraints.txt; until then all of them are run each time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from proven import KNOWN, NOTE, TESTS

_TESTS = (
    "test_fixtures_verify",
    "test_fabric_everywhere",
    "test_native_everywhere",
    "test_programs",
    "test_generated_programs",
    "test_distributed",
    "test_several_devices",
)


def main() -> int:
    """Run them and write tests/proven.txt; what failed is left out, and told by pytest."""
    command = [sys.executable, "-m", "pytest", "-q", *(str(TESTS / f"{name}.py") for name in _TESTS)]
    with tempfile.TemporaryDirectory() as folder:
        noted = Path(folder) / "noted"
        noted.touch()
        environment = {**os.environ, NOTE: str(noted), "OMP_NUM_THREADS": "1"}
        options = sys.argv[1:] or ["-n", "logical", "--dist", "loadgroup"]
        code = subprocess.run([*command, *options], env=environment, check=False).returncode
        digests = sorted(set(noted.read_text("ascii").split()))
    KNOWN.write_text("".join(f"{digest}\n" for digest in digests), "ascii")
    print(f"{len(digests)} comparisons hold")
    return code


if __name__ == "__main__":
    sys.exit(main())
