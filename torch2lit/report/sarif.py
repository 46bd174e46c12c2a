"""SARIF 2.1.0 for code scanning."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote_from_bytes

from .. import __version__
from ..exit_codes import PREVIEW, Ending
from ..findings import Finding, Rule, rule
from ..program import Conversion, Outcome
from ..terminal import json_text
from .places import error_parts

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"note": "note", "review": "warning", "refused": "error"}


def render_sarif(conversions: Sequence[Conversion], ending: Ending = PREVIEW) -> str:
    """One run with a result for each finding, and for each file that ``--check`` means; failures are notifications of the tool.

    Every file is an artifact with what happened to it.
    """
    found = sorted({finding.code: finding for one in conversions for finding in one.findings}.items())
    index = {code: number for number, (code, _) in enumerate(found)}
    failures = [one for one in conversions if one.outcome is Outcome.FAILED]
    run = {
        "tool": {
            "driver": {
                "name": "torch2lit",
                "semanticVersion": __version__,
                "rules": [
                    *(_rule(finding) for _, finding in found),
                    *([_WOULD_CHANGE] if any(map(ending.changes, conversions)) else []),
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not failures,
                "exitCode": ending.code,
                "exitCodeDescription": ending.reason,
                "toolExecutionNotifications": [_notification(one) for one in failures],
            }
        ],
        "artifacts": [
            {
                "location": {"uri": _uri(one.path)},
                "properties": {"outcome": one.outcome.value, "happened": ending.happened(one)},
            }
            for one in conversions
        ],
        "results": [
            result
            for one in conversions
            for result in (*_results(one, index), *([_change(one, len(found), ending)] if ending.changes(one) else []))
        ],
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


_WOULD_CHANGE = {
    "id": "would-change",
    "name": "would-change",
    "shortDescription": {"text": "the file would be converted"},
    "fullDescription": {"text": "The file trains in raw PyTorch, and a conversion would change it (`--check`)."},
    "help": {"text": "Run `torch2lit convert` on the file, or `torch2lit convert --diff` to see the change."},
    "defaultConfiguration": {"level": "error"},
}


def _change(one: Conversion, index: int, ending: Ending) -> dict[str, Any]:
    name = hashlib.sha256(f"would-change\0{one.path}".encode("utf-8", "replace")).hexdigest()[:16]
    return {
        "ruleId": "would-change",
        "ruleIndex": index,
        "level": "error",
        "message": {"text": f"{ending.happened(one)}: run `torch2lit convert` on it."},
        "locations": [_location(one.path, 0, 0, 0)],
        "partialFingerprints": {"torch2lit/v1": f"{name}:1"},
    }


def _rule(finding: Finding) -> dict[str, Any]:
    known = _registered(finding)
    entry: dict[str, Any] = {
        "id": finding.code,
        "name": finding.slug,
        "shortDescription": {"text": finding.slug.replace("-", " ")},
        "defaultConfiguration": {"level": _LEVELS[finding.severity]},
    }
    if known is not None:
        markdown = f"{known.why}\n\n**What to do:** {known.remedy}\n\n{known.text}"
        entry["fullDescription"] = {"text": known.why}
        entry["help"] = {"text": f"{known.why}\n\nWhat to do: {known.remedy}", "markdown": markdown}
    return entry


def _registered(finding: Finding) -> Rule | None:
    try:
        return rule(finding.code)
    except KeyError:
        return None


def _results(one: Conversion, index: dict[str, int]) -> list[dict[str, Any]]:
    lines = one.before.splitlines()
    seen: dict[str, int] = {}
    results = []
    for finding in one.findings:
        # The line's content, not its number, names a finding, so that code above it can move.
        content = lines[finding.line - 1].strip() if 0 < finding.line <= len(lines) else ""
        name = hashlib.sha256(f"{finding.code}\0{one.path}\0{content}".encode("utf-8", "replace")).hexdigest()[:16]
        seen[name] = seen.get(name, 0) + 1
        results.append(
            {
                "ruleId": finding.code,
                "ruleIndex": index[finding.code],
                "level": _LEVELS[finding.severity],
                "message": {"text": f"{finding.message} {finding.remedy}".strip()},
                "locations": [_location(one.path, finding.line, finding.column, finding.end_line)],
                "partialFingerprints": {"torch2lit/v1": f"{name}:{seen[name]}"},
            }
        )
    return results


def _notification(one: Conversion) -> dict[str, Any]:
    line, column, reason = error_parts(one)
    return {
        "level": "error",
        "message": {"text": reason},
        "locations": [_location(one.path, line, column, line)],
    }


def _location(path: str, line: int, column: int, end_line: int) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(path)}}
    if line:
        physical["region"] = {"startLine": line, "startColumn": max(column, 1)}
        if end_line > line:
            physical["region"]["endLine"] = end_line
    return {"physicalLocation": physical}


def _uri(path: str) -> str:
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote_from_bytes(os.fsencode(pure.as_posix()))
