"""A converted training that goes on from a checkpoint is the uninterrupted one; `verify --resume-at` sees when it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import warm_starts
from fixture_cases import case

from torch2lit.api import convert_source, verify
from torch2lit.options import Options

pytestmark = [pytest.mark.needs("torch", "lightning"), pytest.mark.usefixtures("warm")]
LIGHTNING = Options(checkpoints="lightning")
RESUMED = ("resume-from-an-option", "resume-of-a-schedule-stepped-by-hand", "resume-of-steps-by-hand")


def run(folder: Path, *arguments: str) -> list[str]:
    """The lines that a converted script prints."""
    answer = warm_starts.python(folder / "train.py", *arguments)
    assert answer.returncode == 0, answer.stderr[-2000:]
    return answer.stdout.splitlines()


@pytest.mark.parametrize("name", RESUMED)
def test_the_script_goes_on_from_a_file_that_it_has_saved(name: str, tmp_path: Path) -> None:
    converted = convert_source(case(name).raw, "train.py", LIGHTNING)
    (tmp_path / "train.py").write_text(converted.after, encoding="utf-8")
    whole = run(tmp_path)

    resumed = run(tmp_path, "--resume", "epoch_1.ckpt")

    assert resumed == ["going on from epoch_1.ckpt", *whole[2:]]


@pytest.mark.parametrize("name", RESUMED)
def test_a_run_that_is_stopped_and_resumed_is_the_one_that_was_not(name: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(case(name).raw, encoding="utf-8")

    result = verify(script, options=LIGHTNING, resume_at=2)

    assert result.resumed is not None
    assert result.passed and result.resumed.same, result.render()
    steps = 36 if name == "resume-of-steps-by-hand" else 18
    assert result.resumed.comparison is not None and result.resumed.comparison.steps == (steps, steps)


def without(text: str, *parts: str) -> str:
    for part in parts:
        assert text.count(part) == 1, part
        text = text.replace(part, "")
    return text


@pytest.mark.parametrize(
    ("name", "gone", "what"),
    [
        ("resume-from-an-option", "        KeepRandom(),\n", "loss"),
        (
            "resume-of-a-schedule-stepped-by-hand",
            "            self.scheduler.load_state_dict(self.scheduler_state)",
            "learning rate",
        ),
    ],
)
def test_what_is_not_stored_parts_a_resumed_run(name: str, gone: str, what: str, tmp_path: Path) -> None:
    raw, converted = tmp_path / "train.py", tmp_path / "lit.py"
    raw.write_text(case(name).raw, encoding="utf-8")
    text = without(convert_source(case(name).raw, "train.py", LIGHTNING).after, gone)
    converted.write_text(
        text.replace('"scheduler_state"):\n', '"scheduler_state"):\n            pass'), encoding="utf-8"
    )

    result = verify(raw, converted, resume_at=1)  # the best value so far decides on the rate of the third epoch

    assert (result.status, result.passed) == ("identical", False)
    assert result.resumed is not None and result.resumed.comparison is not None
    assert result.resumed.comparison.first is not None and result.resumed.comparison.first.what == what
    assert "parts from the uninterrupted run" in result.render() and "FAIL" in result.render()


def test_there_may_be_no_such_epoch(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(case("resume-from-an-option").raw, encoding="utf-8")

    result = verify(script, options=LIGHTNING, resume_at=9)

    assert result.resumed is not None and not result.passed
    assert "no checkpoint could be saved there" in result.render()


def test_a_file_of_the_raw_script_is_none_to_go_on_from(tmp_path: Path) -> None:
    raw = case("resume-from-an-option").raw
    (tmp_path / "train.py").write_text(raw, encoding="utf-8")
    run(tmp_path)
    (tmp_path / "train.py").write_text(convert_source(raw, "train.py", LIGHTNING).after, encoding="utf-8")

    answer = warm_starts.python(tmp_path / "train.py", "--resume", "best.pth")

    assert answer.returncode != 0 and "pytorch-lightning_version" in answer.stderr
