"""Files without a training loop against reading them."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from measure import Row, Setting, ratio

from torch2lit.options import Options
from torch2lit.run import run_files


def rows(setting: Setting) -> list[Row]:
    """The folder of the standard library, found and told of as a run does it."""
    options, folder = Options(), Path(sysconfig.get_paths()["stdlib"])

    def skip() -> list[Path]:
        return [Path(one.path) for one in run_files([folder], options, jobs=1).conversions]

    paths = skip()

    def read() -> None:
        for path in paths:
            path.read_bytes()

    value = ratio(skip, read, max(5, setting.rounds))
    return [Row("skipped", value, 1.25, f"x reading; {len(paths)} files of the standard library")]
