"""What `convert --slurm FILE` does besides: a batch script beside the conversion, which never takes another file's place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .terminal import plain

if TYPE_CHECKING:
    from .program import Conversion


def check_slurm(paths: Sequence[str], given: dict[str, Any]) -> None:
    """Say before any work is done that there can be no batch script. Raises click.UsageError."""
    path: Path | None = given["slurm"]
    if path is None:
        return
    if given["diff"] or given["check"]:
        raise click.UsageError("--slurm writes a file: it does not go with --diff and --check")
    if len(paths) != 1 or not Path(paths[0]).is_file() or Path(paths[0]).suffix == ".ipynb":
        raise click.UsageError("--slurm starts one script: name that script and nothing else")
    if os.path.lexists(path):
        raise click.UsageError(f"--slurm {plain(str(path))}: the file is there already, and is left as it is")
    if not path.absolute().parent.is_dir():
        raise click.UsageError(f"--slurm {plain(str(path))}: its folder does not exist")


def put_slurm(path: str, conversions: Sequence[Conversion], given: dict[str, Any]) -> str:
    """Write the batch script of `--slurm` when the script has a Trainer; else what kept it from being written, as a sentence."""
    if given["slurm"] is None:
        return ""
    from .destinations import destinations
    from .files.errors import WriteError
    from .files.writing import write_file
    from .program import Outcome
    from .slurm import SlurmProblem, job_of, sbatch_text

    script = Path(path)
    one = next((c for c in conversions if os.path.realpath(c.path) == os.path.realpath(script)), None)
    if one is None or one.outcome in (Outcome.REFUSED, Outcome.FAILED):
        return "the script is not converted"
    place = destinations([script], [script], given["output"])[script] if one.outcome is Outcome.CONVERTED else script
    try:
        text = one.after if one.outcome is Outcome.CONVERTED else script.read_text(encoding="utf-8")
        job = sbatch_text(job_of(text), place.as_posix())
        write_file(given["slurm"], job.encode(), expected=None, is_held=lambda _path, _data: True)
    except (SlurmProblem, WriteError, SyntaxError, OSError, UnicodeDecodeError) as error:
        return str(error)
    return ""
