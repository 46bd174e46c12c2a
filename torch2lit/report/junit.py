"""JUnit XML for CI servers: one test case per file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from ..exit_codes import PREVIEW, Ending
from ..program import Conversion, Outcome
from .places import error_parts, place, place_of

_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(conversions: Sequence[Conversion], ending: Ending = PREVIEW) -> str:
    """A refused file is a failure, and so is one that ``--check`` or ``--fail-on`` means; a failed one is an error, an unchanged one skipped."""
    failures = {id(one): why for one in conversions if (why := _why_failure(one, ending))}
    errors = sum(one.outcome is Outcome.FAILED for one in conversions)
    skipped = sum(one.outcome is Outcome.UNCHANGED and id(one) not in failures for one in conversions)
    head = f'tests="{len(conversions)}" failures="{len(failures)}" errors="{errors}" skipped="{skipped}"'
    cases = "".join(_case(one, failures.get(id(one), ""), ending) for one in conversions)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<testsuites name="torch2lit" {head}>\n  <testsuite name="torch2lit" {head}>\n'
        f"{cases}  </testsuite>\n</testsuites>\n"
    )


def _why_failure(one: Conversion, ending: Ending) -> str:
    if one.outcome is Outcome.FAILED:
        return ""
    if one.outcome is Outcome.REFUSED:
        return next((found.message for found in one.findings if found.severity == "refused"), one.reason or "refused")
    if ending.changes(one):
        return ending.happened(one)
    return next((f"{found.code} {found.slug}: {found.message}" for found in ending.heavy(one)), "")


def _case(one: Conversion, failure: str, ending: Ending) -> str:
    findings = "".join(
        f"{place_of(one.path, found)}: {found.code} {found.slug}: {found.message}\n" for found in one.findings
    )
    body = ""
    if one.outcome is Outcome.FAILED:
        line, column, reason = error_parts(one)
        body = _element("error", reason, f"{place(one.path, line, column)}: {reason}\n" + findings)
    elif failure:
        body = _element("failure", failure, findings)
    elif one.outcome is Outcome.UNCHANGED:
        body = f"      <skipped message={_attribute(ending.happened(one))}/>\n"
    told = findings if failure else findings + (ending.happened(one) + "\n") * (one.outcome is Outcome.CONVERTED)
    if told and one.outcome in (Outcome.CONVERTED, Outcome.UNCHANGED):
        body += f"      <system-out>{_text(told)}</system-out>\n"
    open_tag = f'    <testcase classname="torch2lit" name={_attribute(one.path)} file={_attribute(one.path)}'
    return f"{open_tag}>\n{body}    </testcase>\n" if body else f"{open_tag}/>\n"


def _element(name: str, message: str, detail: str) -> str:
    return f"      <{name} message={_attribute(message)}>{_text(detail)}</{name}>\n"


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text))


def _attribute(text: str) -> str:
    return quoteattr(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text))
