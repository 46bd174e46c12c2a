"""Files that are broken in random ways are converted, refused or told to be no Python: never a crash, invalid output, or one more change.

How many and which: ``TORCH2LIT_MUTATIONS`` (80) and ``TORCH2LIT_SEED`` (0, the first seed) in the environment; ``TORCH2LIT_ANY_PYTHON`` (0) is the number of
programs of any grammatical Python by hypothesmith, which must be installed for that (``pip install -e ".[fuzz]"``).
"""

from __future__ import annotations

import ast
import os

import pytest
from mutated_files import mutated

from torch2lit.checks import unbound_names
from torch2lit.options import Options
from torch2lit.process import process_text
from torch2lit.program import Mechanism, Outcome

FIRST = int(os.environ.get("TORCH2LIT_SEED", "0"))
MUTATIONS = int(os.environ.get("TORCH2LIT_MUTATIONS", "80"))
PYTHON = int(os.environ.get("TORCH2LIT_ANY_PYTHON", "0"))
PER_TEST = 20
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning")
TRAINING = """\
import torch
@BEFORE
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for x in loader:
        @INSIDE
        optimizer.zero_grad()
        loss = model(x).sum()
        loss.backward()
        optimizer.step()
"""


def faults(text: str) -> list[str]:
    """What is wrong with what becomes of a text; [] when nothing is."""
    done = process_text(text, "raw.py", Options())
    if done.outcome is not Outcome.CONVERTED:
        changed = ["changed"] if done.after != text else []
        return [*changed, *([done.error] if "internal error" in done.error else [])]
    try:
        ast.parse(done.after)
    except SyntaxError as error:
        return [f"the output is no Python: {error}"]
    found = []
    if _parses(text) and (new := unbound_names(done.after) - unbound_names(text)):
        found.append(f"unbound in the output: {sorted(new)}")
    again = process_text(done.after, "raw.py", Options())
    if again.after != done.after and again.mechanism is not Mechanism.FABRIC:  # which takes what is left for training
        found.append("a second conversion changes the output")
    if "internal error" in again.error:
        found.append(f"the output: {again.error}")
    return found


def _parses(text: str) -> bool:
    try:
        compile(text, "raw.py", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FIRST, FIRST + MUTATIONS, PER_TEST))
def test_mutated_files_never_crash(first: int) -> None:
    for seed in range(first, min(first + PER_TEST, FIRST + MUTATIONS)):
        text = mutated(seed)
        assert faults(text) == [], f"seed {seed}:\n{text}"


def test_faults_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch2lit import engine

    def raising(*_: object) -> None:
        raise KeyError("boom")

    text = TRAINING.replace("@BEFORE", "loader = [torch.ones(3, 2)]").replace("@INSIDE", "pass")
    assert faults(text) == []
    monkeypatch.setattr(engine, "convert_text", raising)
    assert "internal error" in faults(text)[0]


@pytest.mark.slow
def test_mutations_are_many_and_reproducible() -> None:
    texts = [mutated(seed) for seed in range(100)]
    assert texts == [mutated(seed) for seed in range(100)]
    assert len(set(texts)) == 100
    assert 30 < sum(map(_parses, texts)) < 95


@pytest.mark.slow
@pytest.mark.needs("hypothesmith")
@pytest.mark.skipif(not PYTHON, reason="asked for by TORCH2LIT_ANY_PYTHON=N")
def test_any_python_around_a_training_loop() -> None:
    import hypothesmith
    from hypothesis import HealthCheck, given, settings

    def check(code: str) -> None:
        assert faults(code) == []
        before = TRAINING.replace("@INSIDE", "pass").replace("@BEFORE", f"loader = []\n{code}")
        inside = TRAINING.replace("@BEFORE", "loader = []")
        inside = inside.replace("@INSIDE", "\n".join(code.splitlines()).replace("\n", "\n        ") or "pass")
        assert faults(before) == [] and faults(inside) == []

    chosen = settings(max_examples=PYTHON, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    chosen(given(hypothesmith.from_node())(check))()
