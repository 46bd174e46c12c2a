"""How a result is told, and what cannot be attempted, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from torch2lit.options import Options
from torch2lit.verify import VerifyError, VerifyResult, verify
from torch2lit.verify.compare import Comparison, Difference
from torch2lit.verify.events import Step, Trace
from torch2lit.verify.evidence import Cause
from torch2lit.verify.result import Status
from torch2lit.verify.run import Run

SAME = Comparison((33, 33), (33, 33), 14, True, True, True, True, (1, 1), True, True, None)
CAUSE = Cause("gradient clipping", "The norms differ.", "Clip as before.")
RUN = Run(Trace(ended="error"), 1, "", "Traceback\nValueError: no\n", 1.5)


def test_a_pass_is_two_lines() -> None:
    assert VerifyResult("identical", SAME).render() == (
        "  33 steps · losses identical · 14 tensors identical · learning rates identical"
        " · saved files identical\n"
        "  PASS  bit-identical (CPU)\n"
    )


def test_a_script_that_saves_nothing_is_not_told_about_saves() -> None:
    assert "saved" not in VerifyResult("identical", replace(SAME, saves=(0, 0))).render()


def test_a_failure_tells_where_by_how_much_and_why() -> None:
    first = Difference("parameters", 12, "norm 1.0", "norm 1.5", 0.5, "2 of 14 tensors, first fc.weight")
    comparison = replace(SAME, parameters_identical=False, first=first)
    told = VerifyResult("differs", comparison, (CAUSE,), tensors=(("fc.bias", 0.25), ("fc.weight", 0.125))).render()
    assert told == (
        "  33 steps · losses identical · 14 tensors differ · learning rates identical"
        " · saved files identical\n"
        "  parts at step 12: parameters (2 of 14 tensors, first fc.weight)\n"
        "    fc.bias: largest difference 0.25\n"
        "    fc.weight: largest difference 0.125\n"
        "  likely cause: gradient clipping\n"
        "    The norms differ.\n"
        "    Try: Clip as before.\n"
        "  FAIL  trains differently\n"
    )


def test_a_run_that_failed_shows_its_last_lines() -> None:
    told = VerifyResult("failed", raw=RUN, problem="The raw run failed.").render()
    assert told == (
        "  The raw run failed.\n  last lines of the raw run:\n    Traceback\n    ValueError: no\n  FAIL  the raw script failed\n"
    )


def test_color_only_when_asked() -> None:
    assert "\033[1;32mPASS\033[0m" in VerifyResult("identical", SAME).render(color=True)
    assert "\033[1;31mFAIL\033[0m" in VerifyResult("refused").render(color=True)
    assert "\033" not in VerifyResult("refused").render()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("identical", 0),
        ("trains", 0),
        ("differs", 1),
        ("failed", 4),
        ("undecided", 3),
        ("refused", 123),
        ("unchanged", 123),
        ("unconverted", 123),
    ],
)
def test_exit_codes(status: Status, code: int) -> None:
    result = VerifyResult(status)
    assert (result.exit_code, result.passed) == (code, code == 0)


def test_which_script_failed_is_told() -> None:
    raw, converted = VerifyResult("failed", raw=RUN), VerifyResult("failed", raw=RUN, converted=RUN)
    assert (raw.exit_code, converted.exit_code) == (4, 5)
    assert "FAIL  the raw script failed" in raw.render()
    assert "FAIL  the converted script failed" in converted.render()


def test_a_proof_that_was_cut_says_so() -> None:
    result = VerifyResult("identical", SAME, cut_after=7)
    assert result.passed
    assert "PASS  bit-identical (CPU) as far as the time limit let it run: in the first 7 steps" in result.render()
    assert result.to_dict()["cut_after"] == 7
    assert "time limit" not in VerifyResult("identical", SAME).render()


def test_the_data_is_json_whatever_the_numbers() -> None:
    first = Difference("loss", 1, "nan", "1.0", float("nan"))
    comparison = replace(SAME, losses_identical=False, first=first)
    result = VerifyResult("differs", comparison, (CAUSE,), RUN, RUN, tensors=(("w", float("inf")),))
    data = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert data["version"] == 1
    assert data["comparison"]["first_difference"]["amount"] == "nan"
    assert data["tensors"] == [{"name": "w", "difference": "inf"}]
    assert data["raw"]["exit_status"] == 1


def test_a_signal_after_the_end_is_no_failure() -> None:
    assert not replace(RUN, returncode=-6, trace=Trace(ended="exit")).failed
    assert replace(RUN, returncode=-6, trace=Trace()).failed
    assert replace(RUN, returncode=0, timed_out=True).failed
    assert not replace(RUN, returncode=1, trace=Trace(ended="limit")).failed


@pytest.mark.parametrize("name", ["missing.py", "data.txt"])
def test_what_is_no_script_cannot_be_verified(tmp_path: Path, name: str) -> None:
    (tmp_path / "data.txt").write_text("", encoding="utf-8")
    with pytest.raises(VerifyError, match=name):
        verify(tmp_path / name, None, [], options=Options())


def test_a_script_without_training_is_unchanged(tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text("print('hello')\n", encoding="utf-8")
    result = verify(script, None, [], options=Options())
    assert (result.status, result.exit_code) == ("unchanged", 123)
    assert str(script) in result.render()


@pytest.mark.skipif(find_spec("torch") is not None, reason="needs an interpreter without torch")
def test_a_missing_torch_is_told_cleanly(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import torch\n", encoding="utf-8")
    with pytest.raises(VerifyError, match="has no torch"):
        verify(script, script, [], options=Options())


def test_the_tool_itself_never_imports_torch() -> None:
    code = "import sys, torch2lit.verify, torch2lit.verify.trace; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    folder = Path(__file__).parent.parent
    answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_an_interpreter_that_is_missing_is_told_cleanly(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import torch\n", encoding="utf-8")
    with pytest.raises(VerifyError, match="nowhere"):
        verify(script, script, [], options=Options(), python=str(tmp_path / "nowhere"))


def test_the_time_per_step_is_the_median_after_a_start() -> None:
    def run(seconds: float) -> Run:
        first = [Step("SGD#0", (0.1,), "", 0, seconds=9.0)] * 5
        return replace(
            RUN, returncode=0, trace=Trace(steps=[*first, *[Step("SGD#0", (0.1,), "", 0, seconds=seconds)] * 21])
        )

    result = VerifyResult("identical", SAME, raw=run(0.01), converted=run(0.0112))
    assert "time per step (median, with recording): 10 ms raw, 11.2 ms converted, 1.12 x\n" in result.render()
    assert result.to_dict()["seconds_per_step"] == [0.01, 0.0112]
    assert "time per step" not in VerifyResult("identical", SAME, raw=RUN, converted=RUN).render()
