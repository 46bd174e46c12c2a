"""The conversion that a verification makes for itself, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch2lit.findings import Finding
from torch2lit.options import Options


@dataclass(frozen=True, slots=True)
class Converted:
    """The bytes of the converted script, and what the conversion had to say.

    ``modern`` are the bytes of a raw script for an older torch, modernised: it would not run otherwise.
    """

    content: bytes
    findings: tuple[Finding, ...]
    others: tuple[tuple[Path, bytes], ...] = ()
    """Other files of the program that change with the script."""
    modern: bytes | None = None


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
        modern = _modern(raw, processed.read, conversion.findings)
        return Converted(processed.result, conversion.findings, changed, modern)
    if conversion.outcome is Outcome.REFUSED:
        refusals = [f for f in conversion.findings if f.severity == "refused"]
        told = "; ".join(f"{f.line}:{f.column} {f.code} {f.slug}: {f.message}" for f in refusals)
        return Unconverted("refused", f"{raw} is refused: {told or conversion.reason or 'no reason given'}")
    if conversion.outcome is Outcome.UNCHANGED:
        return Unconverted("unchanged", f"{raw} stays as it is: {conversion.reason or 'nothing to convert'}")
    return Unconverted("unconverted", f"{raw} could not be converted: {conversion.error or conversion.reason}")


def _modern(raw: Path, content: bytes, findings: tuple[Finding, ...]) -> bytes | None:
    """The modernised bytes of a script in which something was modernised; a notebook is run as it is."""
    if raw.suffix == ".ipynb" or not any(f.slug in ("modernised", "modernised-likely") for f in findings):
        return None
    from torch2lit.files.decoding import decode
    from torch2lit.legacy.modernise import modern_text

    text, encoding = decode(content)
    return encoding.encode(modern_text(text))
