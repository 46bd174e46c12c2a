"""What was found in a program: nests, roles, phases, idioms, mechanism."""

from __future__ import annotations

from collections.abc import Sequence

from ..program import Conversion, NestSummary, Outcome
from ..terminal import plain, plain_path
from .places import place
from .style import Style
from .text import render_failure, render_finding


def render_analysis(
    conversions: Sequence[Conversion], *, verbose: bool = False, quiet: bool = False, color: bool = False
) -> str:
    """A paragraph for each file that holds training; the others only when ``verbose``."""
    style = Style(color)
    return "\n".join(text for one in conversions if (text := _file(one, verbose, quiet, style)))


def _file(one: Conversion, verbose: bool, quiet: bool, style: Style) -> str:
    if one.outcome is Outcome.FAILED:
        return render_failure(one, style)
    if one.outcome is Outcome.UNCHANGED and not one.nests and not one.findings and not verbose:
        return ""
    mechanism = f" as {one.mechanism.value}" if one.mechanism else ""
    verdict = {
        Outcome.CONVERTED: f"can be converted{mechanism}",
        Outcome.UNCHANGED: f"unchanged{f' ({one.reason})' if one.reason else ''}",
        Outcome.REFUSED: "refused",
        Outcome.FAILED: "failed",
    }[one.outcome]
    text = f"{style(plain_path(one.path), 'bold')}: {verdict}\n"
    text += "".join(_nest(one.path, nest, style, verbose) for nest in one.nests)
    if not quiet:
        text += "".join("  " + render_finding(one.path, finding, style) for finding in one.findings)
    return text


def _nest(path: str, nest: NestSummary, style: Style, verbose: bool) -> str:
    where = f" in {nest.function}" if nest.function else ""
    into = f" → {nest.module}" if nest.module else ""
    rows = [
        ("loops", " > ".join(nest.loops)),
        ("roles", ", ".join(f"{role} {name}" for role, name in nest.roles)),
        ("phases", ", ".join(f"{phase} (line {line})" if line else phase for phase, line in nest.phases)),
        ("idioms", ", ".join(nest.idioms)),
        ("mechanism", nest.mechanism + into),
    ]
    for mechanism, line, why in nest.obstacles if verbose else ():
        rows.append((f"not {mechanism}", f"line {line}: {why}" if line else why))
    body = "".join(f"    {style(name.ljust(9), 'dim')}  {plain(value)}\n" for name, value in rows if value)
    return f"  {style(place(path, nest.line, 1), 'bold')}: training loop{where}\n{body}"
