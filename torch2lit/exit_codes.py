"""How a run ends, as black's and ruff's users know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .findings import SEVERITIES, Finding, Severity
from .program import Conversion, Outcome

DONE = 0
WOULD_CHANGE = 1
USAGE = 2
FAILED = 123


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends and why, for the reports: whoever sees a red exit sees its reason in every format."""

    code: int = DONE
    reason: str = ""
    check: bool = False
    fail_on: Severity | None = None
    written: bool = False

    def happened(self, one: Conversion) -> str:
        """What happened to a file, with the reason."""
        if one.outcome is Outcome.CONVERTED:
            how = f" ({one.mechanism.value})" if one.mechanism else ""
            return f"{'' if self.written else 'would be '}converted{how}"
        if one.outcome is Outcome.UNCHANGED:
            return f"unchanged ({one.reason or 'nothing to convert'})"
        reason = one.error if one.outcome is Outcome.FAILED else one.reason
        return f"{one.outcome.value}{f': {reason}' if reason else ''}"

    def changes(self, one: Conversion) -> bool:
        """Whether a file is to blame for ``--check``."""
        return self.check and one.outcome is Outcome.CONVERTED

    def heavy(self, one: Conversion) -> list[Finding]:
        """The findings of a file that ``--fail-on`` means."""
        if self.fail_on is None:
            return []
        return [f for f in one.findings if SEVERITIES.index(f.severity) >= SEVERITIES.index(self.fail_on)]


PREVIEW = Ending()
WRITTEN = Ending(written=True)


def ending_of(
    conversions: Sequence[Conversion], *, check: bool = False, fail_on: Severity | None = None, written: bool = False
) -> Ending:
    """How a run with these results ends."""
    ending = Ending(exit_code(conversions, check=check, fail_on=fail_on), "", check, fail_on, written)
    parts = []
    if failures := sum(one.outcome is Outcome.FAILED for one in conversions):
        parts.append(f"{_counted(failures, 'file')} failed")
    if changes := sum(ending.changes(one) for one in conversions):
        parts.append(f"{_counted(changes, 'file')} would be converted (--check)")
    if heavy := sum(len(ending.heavy(one)) for one in conversions):
        parts.append(f"{_counted(heavy, 'finding')} of weight {fail_on} or more (--fail-on {fail_on})")
    return Ending(ending.code, "; ".join(parts) if ending.code else "", check, fail_on, written)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
