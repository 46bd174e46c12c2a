"""Statements that are hard to move, two to four at a time around a small training, and what the loop has left behind it, train and print the same.

How many and which: ``TORCH2LIT_HOSTILE`` (12), ``TORCH2LIT_SEED`` (0, the first seed) in the environment; of the fixtures that print what is
behind their loop, ``TORCH2LIT_BEHIND`` (4) are drawn.
"""

from __future__ import annotations

import ast
import contextlib
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fixture_cases import Case, case, names, reviews
from fixture_runs import Run, differences, run_script
from hostile_statements import ENTRIES, EVALUATIONS, FRAGMENTS, draw, program
from test_generated_programs import Generated

from torch2lit.engine import convert_text
from torch2lit.program import Outcome

FIRST = int(os.environ.get("TORCH2LIT_SEED", "0"))
PROGRAMS = int(os.environ.get("TORCH2LIT_HOSTILE", "12"))
BEHIND = int(os.environ.get("TORCH2LIT_BEHIND", "4"))
_OTHERS = ("distributed", "spawn", "multiprocessing", "input(", "sleep", "time.")


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """A folder without files, from which programs are started."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + PROGRAMS))
def test_mixed_statements_train_the_same(seed: int, empty: Path) -> None:
    chosen, entry, evaluation = draw(seed)
    assert not complaints(Generated("hostile", program(chosen, entry, evaluation), place=empty)), (
        chosen,
        entry,
        evaluation,
    )


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + BEHIND))
def test_what_the_loop_leaves_is_printed_the_same(seed: int) -> None:
    found = _with_names_printed(seed)
    assert not complaints(found), found.name


def test_every_statement_writes_python() -> None:
    for name in FRAGMENTS:
        for entry in ENTRIES:
            for evaluation in EVALUATIONS:
                compile(program([name], entry, evaluation), name, "exec")


def complaints(one: Case) -> list[str]:
    """What is different after conversion; nothing where it is refused, and of a program that stops with an error of its own."""
    result = convert_text(one.raw, "raw.py", one.options)
    if result.outcome is not Outcome.CONVERTED:
        return [] if result.findings else [f"{result.outcome.value}: {result.error or result.reason}"]
    raw = _shown(run_script(one, one.raw))
    if raw.error:
        return []
    told = differences(raw, _shown(run_script(one, result.after)))
    return [t for t in told if "stopped with" in t] if reviews(result) else told


def _shown(run: Run) -> Run:
    """The run without what a bar may leave before a line."""
    return replace(run, stdout=tuple(filter(None, map(str.strip, run.stdout))))


def _with_names_printed(seed: int) -> Case:
    """A fixture whose loop stands at the top of its file, and what the loop binds printed behind it."""
    every = list(names())
    random.Random(seed).shuffle(every)
    for name in every:
        found = case(name)
        with contextlib.suppress(SyntaxError):
            if (text := _printing(found.raw)) and found.run and not found.legacy and found.processes is None:
                return replace(found, raw=text)
    raise AssertionError("no fixture has its loop at the top of its file")


def _printing(text: str) -> str:
    """The script with lines that print the numbers its loop has left; "" when its one loop does not stand at the top."""
    loops = [s for s in ast.parse(text).body if isinstance(s, ast.For) and "backward" in ast.unparse(s)]
    if len(loops) != 1 or any(word in text for word in _OTHERS):
        return ""
    inner = {n.id for c in ast.walk(loops[0]) if isinstance(c, ast.comprehension) for n in _stored(c.target)}
    bound = dict.fromkeys(n.id for n in _stored(loops[0]) if n.id not in inner and n.id != "_")
    lines = [
        f"print({n!r}, float({n}.sum() if hasattr({n}, 'sum') else {n}) if hasattr({n}, '__float__') else type({n}))"
        for n in bound
    ]
    return text.rstrip("\n") + "\n" + "\n".join(lines) + "\n"


def _stored(node: ast.AST) -> Iterator[ast.Name]:
    return (n for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
