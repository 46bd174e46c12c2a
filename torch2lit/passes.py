"""Two conversions one after the other, told as one: lines are lines of the raw text."""

from __future__ import annotations

from dataclasses import replace

from .files.edits import edits_between
from .findings import Finding
from .origins import kept_lines
from .program import Conversion, LedgerEntry, Mechanism

_ORDER = list(Mechanism)


def joined(first: Conversion, second: Conversion) -> Conversion:
    """The conversion from the first one's raw text to the second one's result."""
    origins = kept_lines(first)
    found = [f for f in first.findings if f.slug != "nests-overlap"]
    found += [_moved(f, origins) for f in second.findings if f.slug != "comment-removed"]
    found += [f for f in (_moved(f, origins) for f in second.findings if f.slug == "comment-removed") if f.line]
    mechanisms = [m for m in (first.mechanism, second.mechanism) if m is not None]
    return replace(
        first,
        after=second.after,
        edits=edits_between(first.before, second.after),
        mechanism=max(mechanisms, key=_ORDER.index),
        findings=tuple(sorted(set(found))),
        ledger=_ledger(first.ledger, second.ledger, origins),
        nests=(*first.nests, *(replace(n, line=origins.get(n.line, n.line)) for n in second.nests)),
    )


def _moved(found: Finding, origins: dict[int, int]) -> Finding:
    return replace(found, line=origins.get(found.line, 0), end_line=origins.get(found.end_line, 0))


def _ledger(
    first: tuple[LedgerEntry, ...], second: tuple[LedgerEntry, ...], origins: dict[int, int]
) -> tuple[LedgerEntry, ...]:
    """The second pass knows what became of the lines that the first one left; the first one knows the rest."""
    later = [
        replace(e, line=origins[e.line], end_line=origins.get(e.end_line, origins[e.line]))
        for e in second
        if e.line in origins
    ]
    told = {e.line for e in later}
    kept = [e for e in first if e.line not in told]
    return tuple(sorted([*kept, *later], key=lambda e: (e.line, e.end_line, e.source, e.target)))
