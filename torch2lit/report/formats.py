"""The formats for programs, by name."""

from __future__ import annotations

from collections.abc import Sequence

from ..exit_codes import PREVIEW, Ending
from ..program import Conversion

FORMATS = ("text", "json", "github", "sarif", "junit")


def render_for_programs(
    form: str,
    conversions: Sequence[Conversion],
    ending: Ending = PREVIEW,
    *,
    diff: bool = False,
    statistics: bool = False,
) -> str:
    """All conversions in one of the formats other than text; ``diff`` and ``statistics`` count for json alone.

    Raises ValueError for a format without a renderer.
    """
    if form == "json":
        from .json_report import render_json

        return render_json(conversions, ending, diff=diff, statistics=statistics)
    if form == "github":
        from .github import render_github

        return render_github(conversions, ending)
    if form == "sarif":
        from .sarif import render_sarif

        return render_sarif(conversions, ending)
    if form == "junit":
        from .junit import render_junit

        return render_junit(conversions, ending)
    raise ValueError(f"no renderer for {form!r}")
