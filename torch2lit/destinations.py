"""Where the result of each file is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


class DestinationProblem(ValueError):
    """An output that cannot take the files of a run."""


def destinations(files: Sequence[Path], arguments: Sequence[Path], output: str | None) -> dict[Path, Path]:
    """The path to write for each file: itself without an ``output``.

    An output that ends in a slash or is a folder takes all files under their paths relative to the working
    directory, or, outside of it, relative to the folder that was named. Raises DestinationProblem when
    several files would go to one place.
    """
    if output is None:
        return {file: file for file in files}
    if is_folder(output):
        chosen = {file: Path(output) / _relative(file, arguments) for file in files}
    elif len(files) > 1:
        raise DestinationProblem(f"{output} is one file, but {len(files)} files are to be converted: end it in a slash")
    else:
        chosen = {file: Path(output) for file in files}
    taken: dict[str, Path] = {}
    for file, place in chosen.items():
        other = taken.setdefault(os.path.realpath(place), file)
        if other is not file:
            raise DestinationProblem(f"{other} and {file} would both be written to {place}")
    return chosen


def is_folder(output: str) -> bool:
    """Whether an output stands for a folder."""
    return output.endswith(("/", os.sep)) or os.path.isdir(output)


def _relative(file: Path, arguments: Sequence[Path]) -> Path:
    place = Path(os.path.normpath(file.absolute()))
    for folder in (Path.cwd(), *(Path(os.path.normpath(argument.absolute())) for argument in arguments)):
        if place != folder and place.is_relative_to(folder):
            return place.relative_to(folder)
    return Path(file.name)
