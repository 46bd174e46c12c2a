"""Which findings are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..findings import Finding, Rule
from ..program import Conversion

Selection = Callable[[str], tuple[Sequence[str], Sequence[str]]]
"""What is selected and what is ignored of the findings of the file with this path."""


def select_findings(conversions: Sequence[Conversion], selection: Selection) -> list[Conversion]:
    """The conversions with only the findings that are selected (all, without a selection) and not ignored.

    A selector is a code, the beginning of codes (``T2L2``) or a slug.
    """
    return [replace(one, findings=_chosen(one.findings, *selection(one.path))) for one in conversions]


def matches(selector: str, rule: Rule | Finding) -> bool:
    """Whether a selector means a rule."""
    return rule.code.startswith(selector.upper()) or rule.slug == selector.lower()


def _chosen(findings: Sequence[Finding], select: Sequence[str], ignore: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(
        finding
        for finding in findings
        if (not select or any(matches(selector, finding) for selector in select))
        and not any(matches(selector, finding) for selector in ignore)
    )
