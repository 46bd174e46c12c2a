"""The memory that a worker needs for the scripts, one after the other."""

from __future__ import annotations

import subprocess
import sys

from measure import Row, Setting

_WORKER = """
import re, resource, sys
from pathlib import Path
from torch2lit.options import Options
from torch2lit.process import process_file
for name in sys.argv[1:]:
    process_file(Path(name), Options())
# Where there is /proc: ru_maxrss counts the process that started this one as well.
status = Path("/proc/self/status")
peak = re.search(r"VmHWM:\\s*(\\d+)", status.read_text()) if status.exists() else None
print(peak[1] if peak else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def rows(setting: Setting) -> list[Row]:
    """The peak of a fresh process, interpreter and libraries included; [] where it cannot be asked."""
    if sys.platform == "win32":
        return []
    unit = 1 if sys.platform == "darwin" else 1024
    answer = subprocess.run(
        [sys.executable, "-c", _WORKER, *map(str, setting.scripts)], capture_output=True, check=True, text=True
    )
    peak = int(answer.stdout) * unit / 2**20
    return [Row("memory", peak, 64, f"MiB at most, {len(setting.scripts)} files in one process")]
