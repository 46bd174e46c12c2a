"""One file that takes too long is left as it is, with a finding, and the others are converted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixture_cases import case

from torch2lit import process_python
from torch2lit.api import convert
from torch2lit.deep_stack import with_deep_stack
from torch2lit.files.time_limit import TooSlow, within
from torch2lit.options import Options
from torch2lit.program import Conversion, Outcome

RAW = case("full-batch").raw


@pytest.fixture(params=[1, 2], ids=lambda jobs: f"-j{jobs}")
def outcomes(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Conversion]]:
    """Of three files, of which the second one never comes to an end."""
    from torch2lit import engine

    def slow(text: str, path: str, options: Options) -> Conversion:
        while path.endswith("b.py"):
            try:
                list(text)
            except Exception:  # nothing on the way takes the limit for an error of the work
                continue
        return Conversion(path, Outcome.CONVERTED, text, f"{text}# converted\n")

    for name in "abc":
        (tmp_path / f"{name}.py").write_text(RAW, "utf-8")
    convert(tmp_path / "a.py", jobs=1)  # imports all that is needed
    monkeypatch.setattr(engine, "convert_text", slow)
    yield convert(tmp_path, Options(time_limit=2), jobs=request.param, write=True)


def test_a_file_without_end_is_refused_and_stops_no_other(outcomes: list[Conversion], tmp_path: Path) -> None:
    assert [c.outcome for c in outcomes] == [Outcome.CONVERTED, Outcome.REFUSED, Outcome.CONVERTED]
    (told,) = outcomes[1].findings
    assert (told.code, told.message) == ("T2L119", "its conversion was not done within 2 s")
    assert (tmp_path / "b.py").read_text("utf-8") == RAW == outcomes[1].after
    assert not [t for t in threading.enumerate() if t.name == "torch2lit deep stack"]


def test_the_limit_reaches_the_thread_with_the_deep_stack() -> None:
    ended = []

    def work() -> None:
        try:
            while True:
                time.sleep(0.001)
        finally:
            ended.append(True)

    with pytest.raises(TooSlow), within(0.2):
        with_deep_stack(lambda: with_deep_stack(work))
    assert ended


def test_work_in_time_is_left_alone() -> None:
    with within(60):
        assert with_deep_stack(lambda: 3) == 3
    assert process_python.convert_python(RAW, "a.py", Options()).outcome is Outcome.CONVERTED
