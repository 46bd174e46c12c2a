"""`verify` says why a hand-made port trains differently: the first cause that it names is the mistake that was made."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from port_mistakes import pairs

from torch2lit.verify.causes import likely_causes
from torch2lit.verify.compare import compare
from torch2lit.verify.events import Trace
from torch2lit.verify.trace import record

pytestmark = [pytest.mark.needs("torch", "lightning"), pytest.mark.filterwarnings("ignore")]

_traces: dict[str, Trace] = {}


def traced(text: str) -> Trace:
    if text not in _traces:
        with record() as trace:
            exec(compile(text, "script.py", "exec"), {"__name__": "__main__"})
        _traces[text] = trace
    return _traces[text]


@pytest.mark.parametrize(("name", "raw", "port", "mistaken", "cause"), pairs(), ids=[pair[0] for pair in pairs()])
def test_the_first_cause_is_the_mistake(
    name: str, raw: str, port: str, mistaken: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["script.py"])
    if port:
        assert compare(traced(raw), traced(port)).identical, "the port is wrong without the mistake"
    comparison = compare(traced(raw), traced(mistaken))
    assert not comparison.identical, "the mistake does not show"
    named = likely_causes(traced(raw), traced(mistaken), comparison, script=mistaken)
    assert named[0].name == cause, (comparison.first, [one.name for one in named])
