"""A run counted: files by what happened to them, findings by code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..program import Conversion


def counted(conversions: Sequence[Conversion]) -> dict[str, Any]:
    """How many files had each outcome and mechanism, and how often each finding occurs in how many files."""
    files = Counter((one.outcome.value, one.mechanism.value if one.mechanism else "") for one in conversions)
    kinds = [[(found.code, found.slug, found.severity) for found in one.findings] for one in conversions]
    findings = Counter(kind for own in kinds for kind in own)
    places = Counter(kind for own in kinds for kind in set(own))
    return {
        "files": [{"outcome": o, "mechanism": m or None, "count": n} for (o, m), n in sorted(files.items())],
        "findings": [
            {"code": kind[0], "slug": kind[1], "severity": kind[2], "count": n, "files": places[kind]}
            for kind, n in sorted(findings.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def render_statistics(conversions: Sequence[Conversion]) -> str:
    """The same as aligned lines, the most frequent findings first."""
    told = counted(conversions)
    rows = [(entry["count"], entry["outcome"], entry["mechanism"] or "", "") for entry in told["files"]]
    rows += [
        (entry["count"], entry["code"], entry["severity"], f"{entry['slug']} ({_in_files(entry['files'])})")
        for entry in told["findings"]
    ]
    width = max((len(str(row[0])) for row in rows), default=1)
    return "".join(f"{n:>{width}}  {a:9}  {b:10}  {c}".rstrip() + "\n" for n, a, b, c in rows)


def _in_files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"
