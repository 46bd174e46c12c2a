"""The messages for people: one line per finding, one line in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ..exit_codes import WRITTEN, Ending
from ..findings import Finding
from ..program import Conversion, LedgerEntry, Outcome
from ..terminal import plain, plain_path
from .places import error_parts, place, place_of
from .style import Style
from .table import table

_COLOR = {"note": "cyan", "review": "yellow", "refused": "red"}
_LEDGER_HEADER = ("lines", "statement", "action", "target", "why")


def render_messages(
    conversions: Sequence[Conversion],
    ending: Ending = WRITTEN,
    *,
    verbose: bool = False,
    quiet: bool = False,
    color: bool = False,
    named: Collection[str] = (),
) -> str:
    """A line for each failure and finding, for each file that ``--check`` means, and for each ``named`` one that is left unchanged.

    ``verbose`` adds outcomes and ledgers, ``quiet`` leaves only failures.
    """
    style = Style(color)
    texts = []
    for one in conversions:
        tell = verbose or ending.changes(one) or (one.outcome is Outcome.UNCHANGED and one.path in named)
        texts.append(_messages(one, ending, tell, verbose, quiet, style))
    return "".join(texts)


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
    return f"{style(place_of(path, finding), 'bold')}: {name}: {plain(finding.message)}\n"


def render_failure(conversion: Conversion, style: Style) -> str:
    """One failure as ``path:line:column: error: reason``."""
    line, column, reason = error_parts(conversion)
    return f"{style(place(conversion.path, line, column), 'bold')}: {style('error', 'red')}: {plain(reason)}\n"


def render_ledger(ledger: Sequence[LedgerEntry]) -> str:
    """Where each statement went, as an aligned table."""
    return table(_LEDGER_HEADER, [_ledger_row(entry) for entry in ledger])


def _messages(one: Conversion, ending: Ending, tell: bool, verbose: bool, quiet: bool, style: Style) -> str:
    text = render_failure(one, style) if one.outcome is Outcome.FAILED else ""
    if quiet:
        return text
    text += "".join(render_finding(one.path, finding, style) for finding in one.findings)
    if one.outcome is Outcome.REFUSED and not one.findings:
        reason = f": {plain(one.reason)}" if one.reason else ""
        text += f"{style(plain_path(one.path), 'bold')}: {style('refused', 'red')}{reason}\n"
    if tell and one.outcome is not Outcome.FAILED:
        text += f"{style(plain_path(one.path), 'bold')}: {plain(ending.happened(one))}\n"
    if verbose and one.ledger:
        text += render_ledger(one.ledger)
    return text


def _ledger_row(entry: LedgerEntry) -> tuple[str, ...]:
    lines = str(entry.line) if entry.end_line <= entry.line else f"{entry.line}-{entry.end_line}"
    why = entry.reason + (f" [{entry.codemod}]" if entry.codemod else "")
    return lines, entry.source, entry.fate.value, entry.target, why
