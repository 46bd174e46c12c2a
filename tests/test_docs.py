"""The pages name what there is: commands, options, files, functions, links, and the tool's real output."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from torch2lit.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/ARCHITECTURE.md",
        "docs/EXACTNESS.md",
        "docs/FINDINGS.md",
        "examples/README.md",
        "fixtures/README.md",
    )
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
ELSEWHERE = {"--help"}
MADE_UP = {"fixtures/scheduler-stepped-twice/"}

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def set_up_commands() -> list[str]:
    """The simple commands of README's set-up lines, in their order."""
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    return [command for line in lines for command in line.split(" && ")]


def tool_calls(text: str) -> list[list[str]]:
    """The words behind ``torch2lit`` wherever a page shows a call, without what goes to the script."""
    calls = re.findall(r"(?:^\$ |^ {4}|&& )torch2lit ([^\n#]*)", text, re.MULTILINE)
    calls += [call for block in blocks(text, "sh") for call in re.findall(r"^torch2lit (.*)", block, re.MULTILINE)]
    calls += re.findall(r"`torch2lit ([^`\n]+)`", text)
    return [call.partition(" -- ")[0].replace("[", " ").replace("]", " ").split() for call in calls]


def options_of(command: click.Command) -> set[str]:
    return {name for option in command.params for name in [*option.opts, *option.secondary_opts]} | ELSEWHERE


def test_ci_runs_the_commands_of_readme_and_no_others() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    told = [line for line in script if re.match(r"(pip|torch2lit|pytest)\b", line)]
    assert len(blocks(README, "sh")) == 2
    assert told == set_up_commands()


@by_page
def test_calls_name_existing_commands_and_options(page: Path) -> None:
    for words in tool_calls(page.read_text(encoding="utf-8")):
        if words[0].startswith("-"):
            assert words[0] in {"--version", "--help"}
            continue
        command = main.commands.get(words[0])
        assert command is not None, f"torch2lit {' '.join(words)}"
        unknown = {word for word in words if re.match(r"--?\w", word)} - options_of(command)
        assert not unknown, f"torch2lit {' '.join(words)}"


@by_page
def test_options_in_the_text_exist(page: Path) -> None:
    text = re.sub(r"```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    known = set().union(*(options_of(command) for command in main.commands.values()))
    named = set(re.findall(r"`(--?[a-z][\w-]*)(?: [^`]*)?`", text))
    assert named <= known


@by_page
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    paths = re.findall(r"`((?:torch2lit|codemods|tests|docs|fixtures|examples)/[\w./-]*)`", text)
    assert [path for path in paths if path not in MADE_UP and not (ROOT / path).exists()] == []


def test_functions_in_the_way_of_a_script_exist() -> None:
    rows = re.findall(r"\| `(torch2lit/[\w/]+\.py)` \| `(\w+)` \|", ARCHITECTURE)
    assert len(rows) > 20
    for path, name in rows:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert any(getattr(node, "name", "") == name for node in tree.body), f"{path} has no {name}"


def test_the_change_in_readme_is_what_the_tool_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    printed = CliRunner().invoke(main, ["convert", "--diff", "--no-color", "examples/digits_mlp.py"]).stdout
    (shown,) = blocks(README, "diff")
    rest = "\n" + printed
    for piece in shown.split("[...]\n"):
        _, found, rest = rest.partition("\n" + piece.rstrip("\n") + "\n")
        assert found, f"not in the tool's output, or not in this order:\n{piece}"
        rest = "\n" + rest


@pytest.mark.parametrize("severity", ["note", "review", "refused"])
def test_readme_explains_every_severity(severity: str) -> None:
    assert f"| {severity} |" in README


def test_findings_in_readme_have_their_names() -> None:
    from torch2lit import catalogue as catalogue
    from torch2lit.findings import rule

    pairs = re.findall(r"(T2L\d{3}) `([\w-]+)`", README)
    assert len(pairs) >= 4
    assert [(code, rule(code).slug) for code, _ in pairs] == pairs
