"""The result for programs, after the schema in ``schema.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..exit_codes import PREVIEW, Ending
from ..findings import Finding
from ..new_lines import LineOrigin, origins_of
from ..program import Conversion, LedgerEntry, NestSummary, Outcome
from ..terminal import json_text
from .diff import render_diff
from .places import error_parts
from .statistics import counted

SCHEMA_VERSION = 1


def render_json(
    conversions: Sequence[Conversion], ending: Ending = PREVIEW, *, diff: bool = False, statistics: bool = False
) -> str:
    """All conversions as one JSON text; ``diff`` adds each file's unified diff, ``statistics`` what is counted over all."""
    data = to_dict(conversions, ending, diff=diff)
    return json_text(data | {"statistics": counted(conversions)} if statistics else data)


def to_dict(conversions: Sequence[Conversion], ending: Ending = PREVIEW, *, diff: bool = False) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "version": SCHEMA_VERSION,
        "tool": {"name": "torch2lit", "version": __version__},
        "summary": {outcome.value: sum(one.outcome is outcome for one in conversions) for outcome in Outcome},
        "exit": {"code": ending.code, "reason": ending.reason},
        "files": [_file(one, diff) for one in conversions],
    }


def _file(one: Conversion, diff: bool) -> dict[str, Any]:
    line, column, message = error_parts(one)
    entry: dict[str, Any] = {
        "path": one.path,
        "outcome": one.outcome.value,
        "mechanism": one.mechanism.value if one.mechanism else None,
        "reason": one.reason or ("nothing to convert" if one.outcome is Outcome.UNCHANGED else ""),
        "error": {"line": line, "column": column, "message": message} if one.error else None,
        "findings": [_finding(finding) for finding in one.findings],
        "ledger": [_entry(item) for item in one.ledger],
        "origins": [_origin(origin) for origin in origins_of(one)],
        "nests": [_nest(nest) for nest in one.nests],
    }
    if diff:
        entry["diff"] = render_diff(one, as_text=True)
    return entry


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "slug": finding.slug,
        "severity": finding.severity,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line or finding.line,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "line": entry.line,
        "end_line": entry.end_line,
        "source": entry.source,
        "fate": entry.fate.value,
        "action": entry.fate.value,
        "target": entry.target,
        "codemod": entry.codemod,
        "reason": entry.reason,
    }


def _origin(origin: LineOrigin) -> dict[str, Any]:
    return {
        "line": origin.line,
        "end_line": origin.end_line,
        "kind": origin.kind,
        "raw_line": origin.raw,
        "place": origin.place,
    }


def _nest(nest: NestSummary) -> dict[str, Any]:
    return {
        "line": nest.line,
        "function": nest.function,
        "loops": list(nest.loops),
        "roles": [{"role": role, "name": name} for role, name in nest.roles],
        "phases": [{"phase": phase, "line": line} for phase, line in nest.phases],
        "mechanism": nest.mechanism,
        "module": nest.module,
        "idioms": list(nest.idioms),
    }
