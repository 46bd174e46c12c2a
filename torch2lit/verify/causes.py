"""Names the likely causes of a difference, from its pattern: pure functions over two traces."""

from __future__ import annotations

from collections.abc import Sequence

from torch2lit.findings import Finding

from .compare import Comparison
from .events import Trace
from .evidence import Cause, Evidence
from .rules import RAW_DID_NOT_STEP, RULES

_UNKNOWN = Cause(
    "no known pattern",
    "The way in which the runs part fits none of the causes that verify knows.",
    "Look at the step named above in both scripts; the runs were the same up to there.",
)


def likely_causes(
    raw: Trace, converted: Trace, comparison: Comparison, findings: Sequence[Finding] = (), script: str = ""
) -> tuple[Cause, ...]:
    """The causes that fit the first difference, likeliest first. () when nothing differs.

    ``findings`` of the conversion that ask for a review come after what the traces tell; ``script`` is the converted text.
    """
    if comparison.first is None:
        if comparison.steps[0]:
            return ()
        return (RAW_DID_NOT_STEP,)
    evidence = Evidence(raw, converted, comparison, comparison.first, script)
    named = [cause for rule in RULES if (cause := rule(evidence)) is not None]
    named += [from_finding(finding) for finding in findings if finding.severity == "review"]
    return tuple(named) or (_UNKNOWN,)


def from_finding(finding: Finding) -> Cause:
    """A finding of the conversion as a likely cause."""
    name = f"{finding.code} {finding.slug}"
    return Cause(name, f"The conversion asked for a review of line {finding.line}: {finding.message}", finding.remedy)
