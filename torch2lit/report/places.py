"""Places in messages."""

from __future__ import annotations

import re

from ..findings import Finding
from ..program import Conversion
from ..terminal import plain_path

_PLACED = re.compile(r"(\d+):(\d+): (.*)", re.DOTALL)


def place(path: str, line: int, column: int) -> str:
    """``path:line:column``, or the path alone for a whole file."""
    shown = plain_path(path)
    return f"{shown}:{line}:{max(column, 1)}" if line else shown


def place_of(path: str, finding: Finding) -> str:
    """The place of a finding."""
    return place(path, finding.line, finding.column)


def error_parts(conversion: Conversion) -> tuple[int, int, str]:
    """Line, column and reason of a failure; line and column are 0 when it has no place."""
    if found := _PLACED.fullmatch(conversion.error):
        return int(found[1]), int(found[2]), found[3]
    return 0, 0, conversion.error
