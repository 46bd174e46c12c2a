"""The pages of the documentation site that are made from the code: findings, idioms, examples, the Python API."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

from torch2lit import api
from torch2lit import catalogue as catalogue
from torch2lit.findings import Rule, rules

ROOT = Path(__file__).resolve().parents[2]
_FIXTURES = ROOT / "fixtures"
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)")


def made_pages() -> dict[str, str]:
    """Markdown by its place in the site."""
    pages = {
        "index.md": _moved("README.md"),
        "changelog.md": _moved("CHANGELOG.md"),
        "contributing.md": _moved("CONTRIBUTING.md"),
    }
    pages |= {f"findings/{rule.slug}.md": finding_page(rule) for rule in rules()}
    pages["findings/index.md"] = findings_index()
    pages["idioms.md"] = idioms_page()
    pages["examples.md"] = examples_page()
    pages["api.md"] = api_page()
    return pages


def _moved(name: str) -> str:
    """A page of the top folder; links to pages of the site go there, and what is not in the site is no link."""

    def target(match: re.Match[str]) -> str:
        label, place = match[1], match[2]
        file, _, anchor = place.partition("#")
        if file.startswith("docs/") and file.endswith(".md"):
            return f"[{label}]({file.removeprefix('docs/')}{'#' * bool(anchor)}{anchor})"
        known = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
        return f"[{label}]({known[file]})" if file in known else f"`{label.strip('`')}`"

    return _OUTSIDE.sub(target, (ROOT / name).read_text(encoding="utf-8"))


def findings_index() -> str:
    """All findings by code."""
    rows = [
        f"| [{rule.code}]({rule.slug}.md) | [{rule.slug}]({rule.slug}.md) | {rule.severity} | {rule.why} |"
        for rule in rules()
    ]
    head = (
        "# Findings\n\nEverything that torch2lit can tell about a script. `torch2lit explain CODE` prints the same.\n"
    )
    return "\n".join([head, "| code | name | severity | what it means |", "| --- | --- | --- | --- |", *rows]) + "\n"


def finding_page(rule: Rule) -> str:
    """One finding: what it means, what to do, and the shortest script of the golden cases that has it, before and after."""
    parts = [
        f"# {rule.slug} ({rule.code})",
        f"*Severity: {rule.severity}.* {rule.why}",
        rule.text.strip(),
        f"**What to do:** {rule.remedy}",
    ]
    if (shown := _shortest_case(rule)) is not None:
        folder, line = shown
        parts.append(f"## Example\n\nLine {line} of the raw script has it (`fixtures/{folder.name}`).")
        parts.append(_before_and_after(folder / "raw.py", folder / "converted.py", line))
    return "\n\n".join(parts) + "\n"


def _shortest_case(rule: Rule) -> tuple[Path, int] | None:
    found = []
    for told in sorted(_FIXTURES.glob("*/findings.txt")):
        match = re.search(rf"^(\d+):{rule.code} ", told.read_text(encoding="utf-8"), re.MULTILINE)
        raw = told.with_name("raw.py")
        if match and int(match[1]) > 0 and raw.is_file():
            found.append((raw.stat().st_size, raw.parent, int(match[1])))
    return min(found)[1:] if found else None


def _before_and_after(raw: Path, converted: Path, line: int = 0) -> str:
    tabs = [("Raw", raw.read_text(encoding="utf-8"), f' hl_lines="{line}"' if line else "")]
    if converted.is_file():
        tabs.append(("Converted", converted.read_text(encoding="utf-8"), ""))
    return "\n\n".join(
        f'=== "{title}"\n\n' + indent(f'``` py linenums="1"{more}\n{text.strip()}\n```', "    ")
        for title, text, more in tabs
    )


def idioms_page() -> str:
    """Every idiom with the docstring of its file, which shows before and after."""
    package = importlib.import_module("torch2lit.codemods")
    parts = ["# Idioms", inspect.cleandoc(package.__doc__ or "")]
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
        text = importlib.import_module(f"torch2lit.codemods.{module.name}").__doc__
        if text and not module.name.startswith("_"):
            parts.append(f"## {module.name}\n\n{_with_code(inspect.cleandoc(text))}")
    return "\n\n".join(parts) + "\n"


def _with_code(text: str) -> str:
    """Indented code of a docstring as Markdown takes it: apart from the text around it, with bare addresses as links."""
    return re.sub(r"(?<![<(])(https?://[^\s)>]+)", r"<\1>", text)


def examples_page() -> str:
    """The scripts in examples/, raw and converted now."""
    parts = ["# Examples", "Each is converted when this page is made; `torch2lit verify` proves it."]
    for script in sorted((ROOT / "examples").glob("*.py")):
        text = script.read_text(encoding="utf-8")
        [conversion] = api.convert(script, jobs=1)
        parts.append(f"## {script.name}")
        for title, shown in (("Raw", text), ("Converted", conversion.after)):
            parts.append(f'=== "{title}"\n\n' + indent(f"``` py\n{shown.strip()}\n```", "    "))
    return "\n\n".join(parts) + "\n"


def api_page() -> str:
    """The public functions and data of `torch2lit.api`, from their docstrings."""
    parts = ["# Python API", "```python\nfrom torch2lit.api import convert\n```", inspect.cleandoc(api.__doc__ or "")]
    parts += [_entry(name) for name in api.__all__]
    return "\n\n".join(parts) + "\n"


def _entry(name: str) -> str:
    thing: Callable[..., object] = getattr(api, name)
    signature = str(inspect.signature(thing)).replace("torch2lit.", "")
    return f"## {name}\n\n```python\n{name}{signature}\n```\n\n{inspect.cleandoc(thing.__doc__ or '')}"


def names() -> Iterator[str]:
    """The places of all pages that are made."""
    yield from made_pages()
