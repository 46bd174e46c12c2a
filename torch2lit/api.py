"""What other programs import: the conversions of files and texts as data. Nothing here prints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from .files.discovery import Excludes
from .options import Options
from .process import process_text
from .program import Conversion
from .run import run_files

if TYPE_CHECKING:
    from .verify import VerifyResult

__all__ = ["Conversion", "Excludes", "Options", "analyze", "convert", "convert_source", "verify"]

AnyPath = str | PathLike[str]


def convert(
    paths: AnyPath | Iterable[AnyPath],
    options: Options | None = None,
    *,
    write: bool = False,
    output: AnyPath | None = None,
    excludes: Excludes | None = None,
    jobs: int | None = None,
) -> list[Conversion]:
    """Convert files, notebooks and everything below folders; the result is sorted by path.

    Nothing is written unless ``write`` is set: then converted files are replaced in place, or written to
    ``output`` (a file, or a folder when it ends in a slash or exists). ``jobs`` is the number of processes,
    None for one per CPU.

    One bad file never stops the others: its outcome is failed. Raises FileNotFoundError for a path that does
    not exist and ValueError for options, excludes or an output that cannot hold.
    """
    target = None if output is None else fspath(output)
    run = run_files(_paths(paths), options or Options(), excludes=excludes, write=write, output=target, jobs=jobs)
    return list(run.conversions)


def analyze(
    paths: AnyPath | Iterable[AnyPath],
    options: Options | None = None,
    *,
    excludes: Excludes | None = None,
    jobs: int | None = None,
) -> list[Conversion]:
    """What a conversion would find and do, with nothing written: see `convert`."""
    return convert(paths, options, excludes=excludes, jobs=jobs)


def convert_source(text: str, path: AnyPath = "<string>", options: Options | None = None) -> Conversion:
    """Convert a text; a path that ends in ``.ipynb`` makes it the JSON of a notebook.

    Raises nothing for bad input: its outcome is failed.
    """
    return process_text(text, fspath(path), options or Options())


def verify(
    raw: AnyPath,
    converted: AnyPath | None = None,
    arguments: Sequence[str] = (),
    *,
    options: Options | None = None,
    steps: int | None = None,
    fast_dev_run: bool = False,
    resume_at: int | None = None,
    timeout: float = 600.0,
    processes: int | None = None,
    synthetic_data: bool = False,
) -> VerifyResult:
    """Run a raw script and its conversion and compare every optimizer step.

    Without ``converted`` the conversion is made on the fly, in a copy. ``processes`` starts both in that many
    processes, as ``torchrun`` does, and compares every rank. ``synthetic_data`` lets
    small data sets stand in for those of torchvision that are not there. Raises ImportError when torch or lightning is missing.
    """
    from .verify import verify as compare

    return compare(
        Path(raw),
        None if converted is None else Path(converted),
        arguments,
        options=options or Options(),
        steps=steps,
        fast_dev_run=fast_dev_run,
        resume_at=resume_at,
        timeout=timeout,
        processes=processes,
        synthetic_data=synthetic_data,
    )


def _paths(paths: AnyPath | Iterable[AnyPath]) -> list[Path]:
    if isinstance(paths, (str, PathLike)):
        return [Path(paths)]
    return [Path(path) for path in paths]
