"""Every golden case converts to what its folder says, and breaks no law."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import fixture_cases
import pytest
from fixture_cases import Case, broken_laws, case, conversion, digest, disappointments, names, read

from torch2lit.api import convert_source
from torch2lit.program import Conversion, Fate, LedgerEntry, Outcome

UPDATE = "run `python tests/update_fixtures.py {}` and read what it wrote"
SEEDED = (
    "validation-in-function-no-grad",
    "global-best-accuracy",
    "names-that-clash-with-lightning",
    "full-batch",
    "closure-given-to-step",
    "nested-function-returns-in-loop",
    "parameter-named-like-the-epoch",
)


@pytest.mark.parametrize("name", names())
def test_fixture(name: str) -> None:
    c, result = case(name), conversion(name)
    _check_order(c)
    assert disappointments(c, result) == []
    assert broken_laws(c.raw, result) == []
    again = convert_source(result.after, "raw.py", c.options)
    assert again.after == result.after, "a second conversion changes the text"
    if result.outcome is Outcome.CONVERTED:
        assert again.outcome is Outcome.UNCHANGED, "the output is taken for a raw script"
        assert c.converted_file.exists(), UPDATE.format(name)
        assert result.after == read(c.converted_file), UPDATE.format(name)
    else:
        assert not c.converted_file.exists(), f"{name} is {result.outcome.value}, but converted.py is there"
    assert c.findings_file.exists(), UPDATE.format(name)
    assert digest(result) == read(c.findings_file), UPDATE.format(name)


def _check_order(c: Case) -> None:
    name = c.name
    assert name == name.lower() and " " not in name and "_" not in name, "a folder's name is words joined by hyphens"
    if "failed" not in c.outcomes and c.findings != frozenset({"old-python"}):
        compile(c.runnable, name, "exec")
    first = c.raw.split('"""')
    assert len(first) > 2 and first[1].strip().endswith("."), "the docstring of raw.py says what the trap is"
    for old, new in c.mistakes:
        assert c.raw.count(old) == 1, f"{old!r} is in raw.py {c.raw.count(old)} times"
        compile(c.runnable.replace(old, new), name, "exec")
    for old, _ in c.today:
        assert old in c.raw, f"{old!r} is not in raw.py"


@pytest.mark.slow
def test_same_bytes_whatever_the_hash_seed() -> None:
    expected = [hashlib.sha256(repr(conversion(n)).encode()).hexdigest() for n in SEEDED]
    program = (
        "import sys, hashlib; from fixture_cases import conversion\n"
        "for n in sys.argv[1:]: print(hashlib.sha256(repr(conversion(n)).encode()).hexdigest())"
    )
    tests = Path(__file__).resolve().parent
    for seed in ("0", "4711"):
        paths = os.pathsep.join([str(tests), str(tests.parent), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-c", program, *SEEDED],
            env=env,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout.split() == expected, f"PYTHONHASHSEED={seed} gives other bytes"


@pytest.mark.slow
def test_converting_in_another_order_gives_the_same() -> None:
    for name in sorted(names()[::24], key=lambda n: n[::-1]):
        c = case(name)
        result = convert_source(c.raw, "raw.py", c.options)
        assert digest(result) == read(c.findings_file)
        assert result.after == (read(c.converted_file) if c.converted_file.exists() else c.raw)


RAW = """\
import torch

# before
for epoch in range(3):
    for x, y in loader:
        loss = f(x, y)  # the loss
        loss.backward()
        optimizer.step()
    print(epoch)
"""


def _entry(line: int, end_line: int) -> LedgerEntry:
    return LedgerEntry(line, end_line, "", Fate.MOVED, "training_step", "", "")


def test_a_gap_in_the_ledger_is_told() -> None:
    entries = [_entry(n, n) for n in range(4, 10)]
    assert fixture_cases.ledger_gaps(RAW, RAW, tuple(entries)) == []
    assert fixture_cases.ledger_gaps(RAW, RAW, tuple(entries[:-1])) == ["line 9: 0 ledger entries for: print(epoch)"]
    assert "line 6: 2 ledger entries" in fixture_cases.ledger_gaps(RAW, RAW, (*entries, _entry(6, 6)))[0]


def test_a_lost_comment_is_told() -> None:
    result = Conversion("raw.py", Outcome.CONVERTED, RAW, RAW.replace("  # the loss", ""))
    assert fixture_cases.lost_comments(RAW, result) == ["line 6: comment lost: # the loss"]


def test_an_unbound_name_is_told() -> None:
    after = RAW.replace("print(epoch)", "print(self.current_epoch)")
    result = Conversion("raw.py", Outcome.CONVERTED, RAW, after)
    assert any("undefined name 'self'" in told for told in broken_laws(RAW, result))


def test_a_changed_newline_is_told() -> None:
    result = Conversion("raw.py", Outcome.CONVERTED, RAW, RAW.replace("\n", "\r\n"))
    assert any("newlines" in told for told in broken_laws(RAW, result))
