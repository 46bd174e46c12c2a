"""The messages for people: one line per finding, one line in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..findings import Finding
from ..program import Conversion, LedgerEntry, Outcome
from .places import error_parts, place, place_of
from .style import Style
from .table import table

_COLOR = {"note": "cyan", "review": "yellow", "refused": "red"}
_LEDGER_HEADER = ("lines", "statement", "action", "target", "why")


def render_messages(
    conversions: Sequence[Conversion], *, verbose: bool = False, quiet: bool = False, color: bool = False
) -> str:
    """A line for each failure and finding.

    ``verbose`` adds outcomes and ledgers, ``quiet`` leaves only failures.
    """
    style = Style(color)
    return "".join(_messages(one, verbose, quiet, style) for one in conversions)


def render_summary(conversions: Sequence[Conversion], *, written: bool, color: bool = False) -> str:
    """The closing line: ``3 files would be converted, 1 unchanged, 1 refused, 0 failed.``"""
    if not conversions:
        return "No Python files found. Nothing to do.\n"
    count = Counter(one.outcome for one in conversions)
    converted = count[Outcome.CONVERTED]
    reviews = sum(
        one.outcome is Outcome.CONVERTED and any(found.severity == "review" for found in one.findings)
        for one in conversions
    )
    verb = "converted" if written else "would be converted"
    first = f"{converted} file{'' if converted == 1 else 's'} {verb}"
    style = Style(color)
    parts = [
        style(first, "bold") + (f" ({reviews} to review)" if reviews else ""),
        f"{count[Outcome.UNCHANGED]} unchanged",
        style(f"{count[Outcome.REFUSED]} refused", *(("yellow",) if count[Outcome.REFUSED] else ())),
        style(f"{count[Outcome.FAILED]} failed", *(("red",) if count[Outcome.FAILED] else ())),
    ]
    return ", ".join(parts) + ".\n"


def render_finding(path: str, finding: Finding, style: Style) -> str:
    """One finding as ``path:line:column: CODE slug: message``."""
    name = style(f"{finding.code} {finding.slug}", _COLOR[finding.severity])
    return f"{style(place_of(path, finding), 'bold')}: {name}: {finding.message}\n"


def render_failure(conversion: Conversion, style: Style) -> str:
    """One failure as ``path:line:column: error: reason``."""
    line, column, reason = error_parts(conversion)
    return f"{style(place(conversion.path, line, column), 'bold')}: {style('error', 'red')}: {reason}\n"


def render_ledger(ledger: Sequence[LedgerEntry]) -> str:
    """Where each statement went, as an aligned table."""
    return table(_LEDGER_HEADER, [_ledger_row(entry) for entry in ledger])


def _messages(one: Conversion, verbose: bool, quiet: bool, style: Style) -> str:
    text = render_failure(one, style) if one.outcome is Outcome.FAILED else ""
    if quiet:
        return text
    text += "".join(render_finding(one.path, finding, style) for finding in one.findings)
    if one.outcome is Outcome.REFUSED and not one.findings:
        text += f"{style(one.path, 'bold')}: {style('refused', 'red')}{f': {one.reason}' if one.reason else ''}\n"
    if verbose:
        text += _outcome_line(one, style)
        if one.ledger:
            text += render_ledger(one.ledger)
    return text


def _outcome_line(one: Conversion, style: Style) -> str:
    if one.outcome is Outcome.FAILED:
        return ""
    detail = one.mechanism.value if one.mechanism and one.outcome is Outcome.CONVERTED else one.reason
    return f"{style(one.path, 'bold')}: {one.outcome.value}{f' ({detail})' if detail else ''}\n"


def _ledger_row(entry: LedgerEntry) -> tuple[str, ...]:
    lines = str(entry.line) if entry.end_line <= entry.line else f"{entry.line}-{entry.end_line}"
    why = entry.reason + (f" [{entry.codemod}]" if entry.codemod else "")
    return lines, entry.source, entry.fate.value, entry.target, why
