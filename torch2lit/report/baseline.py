"""What a project has accepted so far: findings and convertible files that no longer make a run red.

A finding is known by its code and the text of its line, so that it stays known when lines move; a file by its path
relative to the folder of the baseline.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..files.lines import split_lines
from ..files.reading import read_file, reason_of
from ..findings import Finding
from ..program import Conversion, Outcome
from ..terminal import json_text

VERSION = 1
_LARGEST = 64 * 1024**2


class BaselineProblem(ValueError):
    """A baseline that cannot be read or written; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is accepted of one file: whether it may stay raw, and how often each (code, text of the line) occurs."""

    raw: bool = False
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return self.raw or bool(self.findings)


@dataclass(frozen=True, slots=True)
class Judged:
    """A run without what its baseline knows: the conversions, the paths that may stay raw, and entries that occur no more."""

    conversions: list[Conversion]
    raw: frozenset[str]
    gone: int


class Baseline:
    """The contents of a baseline file."""

    def __init__(self, folder: Path, files: Mapping[str, _Known]) -> None:
        self._folder = folder
        self._files = files

    @classmethod
    def of(cls, folder: Path, conversions: Sequence[Conversion]) -> Baseline:
        """A baseline of all that a run found."""
        files = {_name(folder, one.path): _known(one) for one in conversions}
        return cls(folder, {name: known for name, known in sorted(files.items()) if known})

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a baseline. Raises BaselineProblem when there is none or it is no baseline."""
        try:
            data = json.loads(read_file(path, _LARGEST))
            if data["version"] != VERSION:
                raise BaselineProblem(f"{path}: version {data['version']!r} of baselines is not known here")
            return cls(path.absolute().parent, {name: _parsed(entry) for name, entry in data["files"].items()})
        except OSError as error:
            raise BaselineProblem(f"{path}: {reason_of(error)}; --write-baseline makes one") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, BaselineProblem):
                raise
            raise BaselineProblem(f"{path}: not a baseline of torch2lit; --write-baseline makes one") from error

    def text(self) -> str:
        """The file's text: one line per finding, sorted, so that a review shows what came and went."""
        files = {name: _written(known) for name, known in self._files.items()}
        return json_text({"version": VERSION, "files": files})

    def judge(self, conversions: Sequence[Conversion]) -> Judged:
        """Take what is known from a run. Of a file that the run did not look at nothing is said."""
        left, raw, gone = [], set(), 0
        for one in conversions:
            known = self._files.get(_name(self._folder, one.path), _Known())
            new, missing = _without(one, known.findings)
            would_convert = one.outcome is Outcome.CONVERTED
            if known.raw and would_convert:
                raw.add(one.path)
            left.append(replace(one, findings=new))
            gone += missing + (known.raw and not would_convert)
        return Judged(left, frozenset(raw), gone)


def _known(one: Conversion) -> _Known:
    lines = split_lines(one.before)
    return _Known(one.outcome is Outcome.CONVERTED, Counter(_key(found, lines) for found in one.findings))


def _without(one: Conversion, known: Counter[tuple[str, str]]) -> tuple[tuple[Finding, ...], int]:
    """The findings of a file that are not known, and how many known ones occur no more."""
    left, lines, new = known.copy(), split_lines(one.before), []
    for found in one.findings:
        key = _key(found, lines)
        if left[key] > 0:
            left[key] -= 1
        else:
            new.append(found)
    return tuple(new), left.total()


def _key(found: Finding, lines: Sequence[str]) -> tuple[str, str]:
    text = lines[found.line - 1] if 0 < found.line <= len(lines) else ""
    return found.code, " ".join(text.split())


def _name(folder: Path, path: str) -> str:
    return Path(os.path.relpath(os.path.abspath(path), folder)).as_posix()


def _parsed(entry: Mapping[str, Any]) -> _Known:
    counts = Counter({(item["code"], item["line"]): int(item.get("count", 1)) for item in entry.get("findings", ())})
    return _Known(bool(entry.get("raw", False)), counts)


def _written(known: _Known) -> dict[str, Any]:
    findings = [
        {"code": code, "line": line, **({"count": count} if count > 1 else {})}
        for (code, line), count in sorted(known.findings.items())
    ]
    return {"raw": known.raw, "findings": findings}
