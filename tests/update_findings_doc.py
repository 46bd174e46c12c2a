"""Write docs/FINDINGS.md from the catalogue of findings: ``python tests/update_findings_doc.py``."""

from __future__ import annotations

from pathlib import Path

from torch2lit import catalogue as catalogue
from torch2lit.findings import Rule, Severity, rules

PAGE = Path(__file__).resolve().parent.parent / "docs" / "FINDINGS.md"

_HEAD = """\
# Findings

Everything that torch2lit can tell about a script, made from `torch2lit/catalogue.py` by
`python tests/update_findings_doc.py`. Edit the catalogue, not this page. `torch2lit explain CODE` prints the same text.

A code never changes its meaning. `--select` and `--ignore` take a code (`T2L203`), the beginning of codes (`T2L2`) or a
name (`own-processes`); they choose what is shown, never what is converted.
"""
_SECTIONS: dict[Severity, tuple[str, str]] = {
    "refused": ("Refused", "The file was left alone. The finding says what stood in the way, where, and what helps."),
    "review": ("Review", "The file was converted; a person should look at this place before the result is used."),
    "note": ("Notes", "Said for the record. There is nothing to do."),
}


def page() -> str:
    """The whole page."""
    everything = rules()
    parts = [_HEAD, _contents(everything)]
    for severity, (title, meaning) in _SECTIONS.items():
        parts.append(f"## {title}\n\n{meaning}\n")
        parts += [_entry(rule) for rule in everything if rule.severity == severity]
    return "\n".join(parts)


def _contents(everything: tuple[Rule, ...]) -> str:
    rows = [f"| [{rule.code}](#{_anchor(rule)}) | {rule.slug} | {rule.severity} |" for rule in everything]
    return "\n".join(["| code | name | severity |", "| --- | --- | --- |", *rows]) + "\n"


def _entry(rule: Rule) -> str:
    return f"### {rule.code} {rule.slug}\n\n{rule.why}\n\n{rule.text.strip()}\n\n**What to do:** {rule.remedy}\n"


def _anchor(rule: Rule) -> str:
    return f"{rule.code} {rule.slug}".lower().replace(" ", "-")


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
