"""What a finding means and what to do."""

from __future__ import annotations

from ..findings import Rule
from .style import Style

_MEANS = {
    "note": "note: said for the record, nothing to do",
    "review": "review: converted, but look at it",
    "refused": "refused: the file was left alone",
}


def render_rule(rule: Rule, *, color: bool = False) -> str:
    """The documentation of one rule."""
    style = Style(color)
    return (
        f"{style(f'{rule.code} {rule.slug}', 'bold')}\n"
        f"{_MEANS[rule.severity]}\n\n"
        f"{style('Why', 'bold')}\n{rule.why}\n\n"
        f"{style('What to do', 'bold')}\n{rule.remedy}\n\n"
        f"{rule.text.strip()}\n"
    )
