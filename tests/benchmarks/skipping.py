"""A file without a training loop against reading it."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from measure import Row, Setting, ratio

from torch2lit.options import Options
from torch2lit.process import process_file, unchanged_at_sight


def rows(setting: Setting) -> list[Row]:
    """All files of the standard library's top folder that hold no training loop."""
    options = Options()
    paths = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    paths = [path for path in paths if unchanged_at_sight(path.read_bytes()) is not None]

    def skip() -> None:
        for path in paths:
            process_file(path, options)

    def read() -> None:
        for path in paths:
            path.read_bytes()

    skip()
    value = ratio(skip, read, max(15, setting.rounds))
    return [Row("skipped", value, 1.25, f"x reading; {len(paths)} files of the standard library")]
