"""JUnit XML for CI servers: one test case per file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from ..program import Conversion, Outcome
from .places import error_parts, place, place_of

_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(conversions: Sequence[Conversion]) -> str:
    """A refused file is a failure, a failed one an error, an unchanged one skipped."""
    counts = {outcome: sum(one.outcome is outcome for one in conversions) for outcome in Outcome}
    head = (
        f'tests="{len(conversions)}" failures="{counts[Outcome.REFUSED]}" errors="{counts[Outcome.FAILED]}" '
        f'skipped="{counts[Outcome.UNCHANGED]}"'
    )
    cases = "".join(_case(one) for one in conversions)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="torch2lit" {head}>\n  <testsuite name="torch2lit" {head}>\n'
        f"{cases}  </testsuite>\n</testsuites>\n"
    )


def _case(one: Conversion) -> str:
    findings = "".join(
        f"{place_of(one.path, found)}: {found.code} {found.slug}: {found.message}\n" for found in one.findings
    )
    body = ""
    if one.outcome is Outcome.FAILED:
        line, column, reason = error_parts(one)
        body = _element("error", reason, f"{place(one.path, line, column)}: {reason}\n" + findings)
    elif one.outcome is Outcome.REFUSED:
        why = [found.message for found in one.findings if found.severity == "refused"]
        body = _element("failure", why[0] if why else one.reason or "refused", findings)
    elif one.outcome is Outcome.UNCHANGED:
        body = f"      <skipped message={_attribute(one.reason)}/>\n"
    if findings and one.outcome in (Outcome.CONVERTED, Outcome.UNCHANGED):
        body += f"      <system-out>{_text(findings)}</system-out>\n"
    open_tag = f'    <testcase classname="torch2lit" name={_attribute(one.path)} file={_attribute(one.path)}'
    return f"{open_tag}>\n{body}    </testcase>\n" if body else f"{open_tag}/>\n"


def _element(name: str, message: str, detail: str) -> str:
    return f"      <{name} message={_attribute(message)}>{_text(detail)}</{name}>\n"


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text))


def _attribute(text: str) -> str:
    return quoteattr(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text))
