"""How a run ends, as black's and ruff's users know it."""

from __future__ import annotations

from collections.abc import Sequence

from .findings import SEVERITIES, Severity
from .program import Conversion, Outcome

DONE = 0
WOULD_CHANGE = 1
USAGE = 2
FAILED = 123


def exit_code(conversions: Sequence[Conversion], *, check: bool = False, fail_on: Severity | None = None) -> int:
    """123 when a file failed; else 1 for ``check`` when something would change, or for ``fail_on``; else 0.

    ``fail_on`` is the least weight of a finding that counts.
    """
    if any(one.outcome is Outcome.FAILED for one in conversions):
        return FAILED
    if check and any(one.outcome is Outcome.CONVERTED for one in conversions):
        return WOULD_CHANGE
    if fail_on is not None:
        weight = SEVERITIES.index(fail_on)
        if any(SEVERITIES.index(found.severity) >= weight for one in conversions for found in one.findings):
            return WOULD_CHANGE
    return DONE
