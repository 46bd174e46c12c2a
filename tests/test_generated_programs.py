"""Random raw programs train the same after conversion, bit for bit, or a finding says what to look at.

How many and which: ``TORCH2LIT_PROGRAMS`` (60) and ``TORCH2LIT_SEED`` (0) in the environment. A failure shows
the simplest choices that still fail; ``assemble`` of tests/generated_programs.py writes the program again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from fixture_cases import Case, broken_laws, reviews
from fixture_runs import Run, differences, run_script
from generated_programs import DIMENSIONS, Choices, assemble, described, draw, simplest

from torch2lit.engine import convert_text
from torch2lit.options import Options
from torch2lit.program import Conversion, Mechanism, Outcome

FIRST = int(os.environ.get("TORCH2LIT_SEED", "0"))
PROGRAMS = int(os.environ.get("TORCH2LIT_PROGRAMS", "60"))
PER_TEST = 10


@dataclass(frozen=True, slots=True)
class Generated(Case):
    """A program that lies in no folder of fixtures/."""

    place: Path = Path()

    @property
    def folder(self) -> Path:
        return self.place


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """A folder without files, from which programs are started."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def complaints(text: str, place: Path) -> list[str]:
    """What is wrong with the conversion of a program; [] when it is right or refused with a reason."""
    try:
        result = convert_text(text, "raw.py", Options())
    except Exception as error:
        return [f"internal error: {type(error).__name__}: {error}"]
    if result.outcome is Outcome.REFUSED:
        faults = [f.message for f in result.findings if f.slug == "output-not-valid"]
        return faults if result.findings else ["refused without a finding"]
    if result.outcome is not Outcome.CONVERTED:
        return [f"{result.outcome.value}: {result.error or result.reason}"]
    case = Generated("generated", text, place=place)
    raw = _without_bars(run_script(case, text))
    assert raw.error == "", (raw.error, "the generator wrote a program that does not run", text)
    told = differences(raw, _without_bars(run_script(case, result.after)))
    if told and reviews(result):
        told = []
    return told + [law for law in broken_laws(text, result) if not _of_a_script(law)]


def _without_bars(run: Run) -> Run:
    """The run with its lines stripped: a bar may leave blanks before what is printed over it."""
    return replace(run, stdout=tuple(filter(None, map(str.strip, run.stdout))))


def _of_a_script(law: str) -> bool:
    """A name that a script assigns and never reads is a local variable that is never read in a hook."""
    return "assigned to but never used" in law


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FIRST, FIRST + PROGRAMS, PER_TEST))
def test_programs_train_the_same(first: int, empty: Path) -> None:
    pytest.importorskip("lightning")
    failed = []
    for seed in range(first, min(first + PER_TEST, FIRST + PROGRAMS)):
        choices = draw(seed)
        if told := complaints(assemble(choices), empty):
            failed.append(f"seed {seed}: {_smaller(choices, told, empty)}: {'; '.join(told)}")
    assert failed == []


def _smaller(choices: Choices, told: list[str], place: Path) -> str:
    kind = told[0].split()[0]
    found = simplest(choices, lambda text: any(t.split()[0] == kind for t in complaints(text, place)))
    return described(found) or "the plain program"


def test_programs_are_python_and_reproducible() -> None:
    seen = set()
    for seed in range(100):
        text = assemble(draw(seed))
        assert text == assemble(draw(seed))
        compile(text, f"seed {seed}", "exec")
        seen.add(text)
    assert len(seen) > 95


@pytest.mark.parametrize("name", DIMENSIONS)
def test_every_option_writes_python(name: str) -> None:
    plain = {n: options[0] for n, options in DIMENSIONS.items()}
    for option in DIMENSIONS[name]:
        compile(assemble({**plain, name: option}), f"{name}={option}", "exec")


def test_the_plain_program_converts_to_automatic_optimization() -> None:
    assert _plain().mechanism is Mechanism.AUTOMATIC


def test_simplest_drops_what_does_not_matter() -> None:
    choices = {**draw(3), "clip": "value", "save": "best"}
    found = simplest(choices, lambda text: "clip_grad_value_" in text)
    assert described(found) == "clip=value"


def _plain() -> Conversion:
    text = assemble({n: options[0] for n, options in DIMENSIONS.items()})
    return convert_text(text, "raw.py", Options())
