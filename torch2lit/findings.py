"""The registry of findings: every message that torch2lit can give, with why and what to do.

A finding's code never changes its meaning. ``T2L0xx`` concerns files, ``T2L1xx`` refuses a program,
``T2L2xx`` asks for a review, ``T2L3xx`` is a note.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Severity = Literal["note", "review", "refused"]
SEVERITIES: tuple[Severity, ...] = ("note", "review", "refused")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a finding means, independent of the place where it was found.

    ``why`` and ``remedy`` are whole sentences for the reader of a report; ``text`` is the longer
    documentation that ``torch2lit explain CODE`` prints.
    """

    code: str
    slug: str
    severity: Severity
    why: str
    remedy: str
    text: str


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One message about one place. Lines and columns count from 1; line 0 means the whole file.

    ``about`` and ``because`` say again what later steps ask of it, so that nobody reads the message: the name of what it
    is about, and the reason at the message's end.
    """

    line: int
    column: int
    code: str
    slug: str
    severity: Severity
    message: str
    remedy: str
    end_line: int = 0
    about: str = field(default="", compare=False)
    because: str = field(default="", compare=False)

    def moved(self, line: int) -> Finding:
        """The same finding at another line."""
        return replace(self, line=line)

    def with_loops(self, others: Iterable[Finding]) -> Finding:
        """One finding for the whole script: this one, and what the same rule says of other loops where it says something else."""
        told = {self.message: self.line}
        for other in others:
            told.setdefault(other.message, other.line)
        own, *rest = told.items()
        message = "; ".join([own[0], *(f"the loop in line {line}: {text}" for text, line in rest)])
        return replace(self, message=message)

    def with_reason(self, reason: str) -> Finding:
        """The same finding with a reason for it."""
        return replace(self, message=f"{self.message}: {reason}", because=reason)


_RULES: dict[str, Rule] = {}
RETIRED = ("T2L118",)
"""Codes of rules that are gone; they are never used again."""


def register(rule: Rule) -> Rule:
    """Add a rule. Raises ValueError when its code or slug is taken, or its code was another rule's once."""
    if rule.code in RETIRED or rule.code in _RULES or any(r.slug == rule.slug for r in _RULES.values()):
        raise ValueError(f"finding {rule.code} {rule.slug} is registered already")
    _RULES[rule.code] = rule
    return rule


def rules() -> tuple[Rule, ...]:
    """All rules, sorted by code."""
    return tuple(_RULES[code] for code in sorted(_RULES))


def rule(code_or_slug: str) -> Rule:
    """The rule with this code or slug. Raises KeyError when there is none."""
    if found := _RULES.get(code_or_slug.upper()):
        return found
    for candidate in _RULES.values():
        if candidate.slug == code_or_slug.lower():
            return candidate
    raise KeyError(code_or_slug)


def finding(slug: str, line: int, message: str, column: int = 1, end_line: int = 0, *, about: str = "") -> Finding:
    """A finding of the rule with this slug at a place. Raises KeyError when there is no such rule."""
    r = rule(slug)
    return Finding(line, column, r.code, r.slug, r.severity, message, r.remedy, end_line, about)
