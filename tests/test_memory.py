"""A text is parsed once per run, however many ways to see a program hold it, and forgotten afterwards."""

from __future__ import annotations

import ast
import shutil
from collections import Counter
from pathlib import Path

import pytest
from fixture_cases import FIXTURES

from torch2lit import memory
from torch2lit.memory import once, remembering
from torch2lit.options import Options
from torch2lit.process import process_file
from torch2lit.program import Outcome
from torch2lit.recover.syntax import Source, source_of

CASES = {
    "switch-on-in-both-calls": ("raw.py", 19),
    "several-files-base-that-drives": ("train.py", 16),
    "several-files-engine-of-one-epoch": ("train.py", 16),
    "accumulation-rest-across-overlapping-trainings": ("raw.py", 6),
}
"""Programs that are seen in several ways, and how many different texts that makes at most, the new classes among them."""


def _parsed(name: str, file: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each whole text is parsed while a case is converted."""
    found: Counter[str] = Counter()
    plain = ast.parse

    def counting(source, *arguments, **options):  # type: ignore[no-untyped-def]
        # Bytes are modules of the program's own, which pytest reads when they are imported.
        if isinstance(source, str) and not arguments and options.get("mode", "exec") == "exec":
            found[source] += 1
        return plain(source, *arguments, **options)

    shutil.copytree(FIXTURES / name, place / name)
    monkeypatch.setattr(ast, "parse", counting)
    outcome = process_file(place / name / file, Options()).conversion.outcome
    assert outcome is Outcome.CONVERTED
    return found


@pytest.mark.parametrize("name", CASES)
def test_no_text_is_parsed_twice(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text has one tree in a run, and there are no more texts than ways to see the program."""
    file, most = CASES[name]
    parsed = _parsed(name, file, tmp_path, monkeypatch)
    assert parsed and max(parsed.values()) == 1, [text[:60] for text, times in parsed.items() if times > 1]
    assert len(parsed) <= most


def test_a_run_knows_one_source_per_text() -> None:
    """Within a run there is one `Source` of a text; the next run makes its own."""
    with remembering():
        first = source_of("a = 1\n")
        assert source_of("a = 1\n") is first
        with remembering():
            assert source_of("a = 1\n") is first
    with remembering():
        assert source_of("a = 1\n") is not first
    assert memory._KEPT.get() is None


def test_outside_of_a_run_nothing_is_kept() -> None:
    """Whoever asks outside of a run gets a fresh answer."""
    assert source_of("a = 1\n") is not source_of("a = 1\n")
    assert isinstance(once("question", lambda: Source("b = 2\n")), Source)
    assert memory._KEPT.get() is None


def test_columns_count_characters() -> None:
    second = source_of('é = "ü"; x = 1\n').tree.body[1]
    assert (second.col_offset, source_of('é = "ü"; x = 1\n').column(second)) == (11, 10)
