"""The conversion that a verification makes for itself, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch2lit.findings import Finding
from torch2lit.options import Options


@dataclass(frozen=True, slots=True)
class Converted:
    """The bytes of the converted script, and what the conversion had to say."""

    content: bytes
    findings: tuple[Finding, ...]
    others: tuple[tuple[Path, bytes], ...] = ()
    """Other files of the program that change with the script."""


@dataclass(frozen=True, slots=True)
class Unconverted:
    """Why there is no converted script, as one sentence or one line per finding."""

    status: Literal["refused", "unchanged", "unconverted"]
    problem: str


def convert(raw: Path, options: Options) -> Converted | Unconverted:
    """Convert one script or notebook in memory. Nothing is written, nothing is raised for bad input."""
    from torch2lit.process import process_file
    from torch2lit.program import Outcome

    processed = process_file(raw, options)
    conversion = processed.conversion
    if processed.result is not None:
        others = [(other, process_file(other, options).result) for other in processed.others]
        changed = tuple((other, result) for other, result in others if result is not None)
        return Converted(processed.result, conversion.findings, changed)
    if conversion.outcome is Outcome.REFUSED:
        refusals = [f for f in conversion.findings if f.severity == "refused"]
        told = "; ".join(f"{f.line}:{f.column} {f.code} {f.slug}: {f.message}" for f in refusals)
        return Unconverted("refused", f"{raw} is refused: {told or conversion.reason or 'no reason given'}")
    if conversion.outcome is Outcome.UNCHANGED:
        return Unconverted("unchanged", f"{raw} stays as it is: {conversion.reason or 'nothing to convert'}")
    return Unconverted("unconverted", f"{raw} could not be converted: {conversion.error or conversion.reason}")
