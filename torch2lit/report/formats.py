"""The formats for programs, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ..program import Conversion

FORMATS = ("text", "json", "github", "sarif", "junit")


def render_for_programs(form: str, conversions: Sequence[Conversion], *, diff: bool = False) -> str:
    """All conversions in one of the formats other than text; ``diff`` counts for json alone.

    Raises ValueError for a format without a renderer.
    """
    if form == "json":
        from .json_report import render_json

        return render_json(conversions, diff=diff)
    if form == "github":
        from .github import render_github

        return render_github(conversions)
    if form == "sarif":
        from .sarif import render_sarif

        return render_sarif(conversions)
    if form == "junit":
        from .junit import render_junit

        return render_junit(conversions)
    raise ValueError(f"no renderer for {form!r}")
