"""The house stands on its foundations: no module imports in a circle, and no folder one above it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"torch2lit": ROOT / "torch2lit", "torch2lit.codemods": ROOT / "codemods"}
STOREYS = (
    (
        "program",
        "findings",
        "catalogue",
        "options",
        "feature",
        "memory",
        "trees",
        "comments",
        "formatted_numbers",
        "installed",
        "lightning_values",
    ),
    (
        "best_value",
        "device_calls",
        "checkpoint_names",
        "file_mentions",
        "file_names",
        "open_runs",
        "plain_options",
        "saving_functions",
        "stopping_kept",
        "sure_texts",
        "until_epoch_end",
    ),
    ("files", "codemods"),
    ("deep_stack",),
    ("recover",),
    ("legacy", "objects", "ddp", "switches", "checks"),
    ("plan",),
    ("rewrite",),
    (
        "origin",
        "new_lines",
        "unchanged",
        "unused_skips",
        "full_batch",
        "command_line",
        "batch_list",
        "nested_tests",
        "head_breaks",
        "checked_first",
        "skipped_epochs",
        "batch_source",
        "generator_loops",
        "phase_loops",
        "made_inside",
        "given_back",
        "resuming",
        "precision_arms",
        "schedules",
        "averages",
    ),
    ("by_trainer",),
    ("views",),
    ("search", "by_fabric", "shared_lines"),
    ("engine",),
    ("project", "process_python"),
    ("process_notebook",),
    ("process",),
)
"""Folders and modules beside them, the lowest first: each imports from its own storey and from those below.

What is not named here stands above all of them.
"""
KNOWN = {
    ("torch2lit.plan.entry_names", "torch2lit.rewrite.rename"),
}
"""Arrows that point upward yet."""


def _modules() -> dict[str, Path]:
    found = {}
    for package, folder in PACKAGES.items():
        for file in sorted(folder.rglob("*.py")):
            parts = [package, *file.relative_to(folder).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


MODULES = _modules()


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements below a node, and what holds some: no expression, of which there are ten times as many."""
    for held in ("body", "orelse", "finalbody", "handlers", "cases"):
        below = getattr(node, held, None)
        for inner in below if isinstance(below, list) else ():
            yield inner
            yield from _statements(inner)


def _imported(module: str, file: Path) -> Iterator[str]:
    """The modules of the project that a module imports, for types alone and inside functions, too."""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in _statements(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                named = f"{origin}.{alias.name}"
                yield named if named in MODULES else origin
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@functools.cache
def arrows() -> dict[str, list[str]]:
    """What each module imports of the project."""
    return {
        module: sorted({name for name in _imported(module, file) if name in MODULES and name != module})
        for module, file in MODULES.items()
    }


def _circles(arrows: dict[str, list[str]]) -> list[list[str]]:
    """The groups of modules that reach each other (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in arrows.get(module, ()):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group: list[str] = []
            while not group or group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in arrows:
        if module not in index:
            visit(module)
    return found


def _height(module: str) -> int:
    """The storey of a module."""
    place = module.split(".")[1] if "." in module else ""
    return next((height for height, storey in enumerate(STOREYS) if place in storey), len(STOREYS))


def test_no_circle() -> None:
    """Modules can be read one after the other, the ones that they import first."""
    assert _circles(arrows()) == []


def test_a_circle_would_be_found() -> None:
    """The search for circles finds one of three, and nothing in a chain."""
    assert _circles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == [["a", "b", "c"]]
    assert _circles({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def test_no_arrow_points_upward() -> None:
    """What is below does not know what is above it."""
    upward = [
        f"{module} imports {other}"
        for module, others in arrows().items()
        for other in others
        if _height(other) > _height(module) and (module, other) not in KNOWN
    ]
    assert not upward, "\n".join(upward)


def test_known_arrows_exist() -> None:
    """An arrow that is gone leaves the list."""
    assert all(other in arrows()[module] for module, other in KNOWN)


_READS = {"startswith", "endswith", "partition", "rpartition", "split", "removeprefix", "removesuffix", "find", "index"}
_MESSAGES = {"message", "because"}


def _readers(tree: ast.AST) -> list[int]:
    """The lines on which something is decided by, or cut out of, the text of a finding."""
    found = []
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        match node:
            case ast.Compare(left=left, comparators=others):
                parts = [left, *others]
            case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in _READS:
                parts = [value]
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=arguments):
                parts = arguments
        if any(isinstance(part, ast.Attribute) and part.attr in _MESSAGES for part in parts):
            found.append(getattr(node, "lineno", 0))
    return found


def test_nobody_reads_a_message() -> None:
    """Rewording a message changes what is told, never what is done."""
    found = {module: _readers(ast.parse(file.read_text(encoding="utf-8"))) for module, file in MODULES.items()}
    assert {module: lines for module, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    ["if 'class' in f.message: pass", "f.message.partition(': ')[2]", "re.search('x', f.message)", "f.because == 'x'"],
)
def test_a_reader_would_be_found(code: str) -> None:
    """Each way to decide by a message is seen."""
    assert _readers(ast.parse(code)) == [1]
