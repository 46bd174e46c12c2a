"""What idioms claim trains the same under conditions, in loops and blocks and beside others of its kind, and leaves no empty block.

The same for counters that end a training, where a callback may count other epochs.

``TORCH2LIT_PLACEMENTS`` (30) programs of each kind from ``TORCH2LIT_SEED`` (0) on are converted and run before and after.
"""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from program_grammar import Grammar
from programs_of_patience import PATIENCE
from programs_of_placements import PLACEMENTS
from test_generated_programs import complaints

from torch2lit.engine import convert_text
from torch2lit.options import Options

FIRST = int(os.environ.get("TORCH2LIT_SEED", "0"))
PROGRAMS = int(os.environ.get("TORCH2LIT_PLACEMENTS", "30"))
PER_TEST = 10
_ASKS = (ast.Call, ast.NamedExpr)


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """A folder without files, from which programs are started."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize("grammar", [PLACEMENTS, PATIENCE], ids=lambda g: g.name)
@pytest.mark.parametrize("first", range(FIRST, FIRST + PROGRAMS, PER_TEST))
def test_claims_know_where_they_stand(first: int, grammar: Grammar, empty: Path) -> None:
    failed = []
    for seed in range(first, min(first + PER_TEST, FIRST + PROGRAMS)):
        choices = grammar.draw(seed)
        if told := _faults(grammar.write(choices), empty, f"{grammar.name} {seed}"):
            failed.append(f"seed {seed}: {grammar.described(choices)}: {'; '.join(told)}")
    assert not failed, "\n".join(failed)


def _faults(text: str, place: Path, name: str) -> list[str]:
    return [*complaints(text, place, name), *_empty_blocks(convert_text(text, "raw.py", Options()).after)]


def _empty_blocks(text: str) -> list[str]:
    """Statements with a block of nothing whose heads only ask."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.If) or node.orelse or not all(isinstance(s, ast.Pass) for s in node.body):
            continue
        if not any(isinstance(n, _ASKS) for n in ast.walk(node.test)):
            found.append(f"empty block: {ast.unparse(node).splitlines()[0]}")
    return found


def test_every_option_writes_python() -> None:
    for name, options in PLACEMENTS.dimensions.items():
        for option in options:
            for statement in PLACEMENTS.dimensions["statement"]:
                text = PLACEMENTS.write({**PLACEMENTS.plain(), "statement": statement, name: option})
                compile(text, f"{statement} {name}={option}", "exec")


def test_counters_are_lightnings_and_stay() -> None:
    """The random counters try both: those that become a callback and those that must not."""
    texts = [convert_text(PATIENCE.write(PATIENCE.draw(seed)), "raw.py", Options()).after for seed in range(12)]
    assert 2 < sum("EarlyStopping(" in text for text in texts) < 10
