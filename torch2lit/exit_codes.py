"""How a run ends, as black's and ruff's users know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    may_stay_raw: frozenset[str] = frozenset()
    """Paths of files that the baseline lets stay raw."""

    def happened(self, one: Conversion) -> str:
        """What happened to a file, with the reason."""
        if one.outcome is Outcome.CONVERTED:
            how = f" ({one.mechanism.value})" if one.mechanism else ""
            known = " (in the baseline)" if self.check and one.path in self.may_stay_raw else ""
            return f"{'' if self.written else 'would be '}converted{how}{known}"
        if one.outcome is Outcome.UNCHANGED:
            return f"unchanged ({one.reason or 'nothing to convert'})"
        reason = one.error if one.outcome is Outcome.FAILED else one.reason
        return f"{one.outcome.value}{f': {reason}' if reason else ''}"

    def changes(self, one: Conversion) -> bool:
        """Whether a file is to blame for ``--check``."""
        return self.check and one.outcome is Outcome.CONVERTED and one.path not in self.may_stay_raw

    def heavy(self, one: Conversion) -> list[Finding]:
        """The findings of a file that ``--fail-on`` means."""
        if self.fail_on is None:
            return []
        return [f for f in one.findings if SEVERITIES.index(f.severity) >= SEVERITIES.index(self.fail_on)]


PREVIEW = Ending()
WRITTEN = Ending(written=True)


def ending_of(
    conversions: Sequence[Conversion],
    *,
    check: bool = False,
    fail_on: Severity | None = None,
    written: bool = False,
    may_stay_raw: frozenset[str] = frozenset(),
) -> Ending:
    """How a run with these results ends.

    123 when a file failed; else 1 for ``check`` when something would change, or for ``fail_on``, the least weight of a
    finding that counts; else 0.
    """
    ending = Ending(DONE, "", check, fail_on, written, may_stay_raw)
    failures = sum(one.outcome is Outcome.FAILED for one in conversions)
    changes = sum(ending.changes(one) for one in conversions)
    heavy = sum(len(ending.heavy(one)) for one in conversions)
    parts = []
    if failures:
        parts.append(f"{_counted(failures, 'file')} failed")
    if changes:
        parts.append(f"{_counted(changes, 'file')} would be converted (--check)")
    if heavy:
        parts.append(f"{_counted(heavy, 'finding')} of weight {fail_on} or more (--fail-on {fail_on})")
    code = FAILED if failures else WOULD_CHANGE if parts else DONE
    return replace(ending, code=code, reason="; ".join(parts))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
