"""Random raw programs train the same after conversion, bit for bit, or a finding says what to look at.

How many and which: ``TORCH2LIT_PROGRAMS`` (300), ``TORCH2LIT_SEED`` (0, the first seed) and ``TORCH2LIT_FAMILY`` in the environment. A failure
shows the simplest choices that still fail and their program.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fixture_cases import Case, broken_laws, reviews
from fixture_runs import Run, differences, run_script
from generated_programs import ALL, draw, family, generate
from program_grammar import Choices, Grammar
from programs_of_epochs import EPOCHS
from programs_of_shapes import SHAPES
from proven import unless_proven

from torch2lit.engine import convert_text
from torch2lit.options import Options
from torch2lit.program import Conversion, Mechanism, Outcome

EVERY_FAMILY = tuple(ALL.values())
FIRST = int(os.environ.get("TORCH2LIT_SEED", "0"))
PROGRAMS = int(os.environ.get("TORCH2LIT_PROGRAMS", "300"))
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


def complaints(text: str, place: Path, name: str = "") -> list[str]:
    """What is wrong with the conversion of a program; [] when it is right or refused with a reason. One with a ``name`` may be known to train the same."""
    try:
        result = convert_text(text, "raw.py", Options())
    except Exception as error:
        return [f"internal error: {type(error).__name__}: {error}"]
    if result.outcome is Outcome.REFUSED:
        faults = [f.message for f in result.findings if f.slug == "output-not-valid"]
        return faults if result.findings else ["refused without a finding"]
    if result.outcome is not Outcome.CONVERTED:
        return [f"{result.outcome.value}: {result.error or result.reason}"]
    told: list[str] = []
    reviewed = bool(reviews(result))

    def compare() -> None:
        case = Generated("generated", text, place=place)
        raw = _without_bars(run_script(case, text))
        assert raw.error == "", (raw.error, "the generator wrote a program that does not run", text)
        told.extend(differences(raw, _without_bars(run_script(case, result.after))))
        if reviewed:
            told[:] = [t for t in told if "stopped with" in t]
        if told:
            raise _Complained

    with contextlib.suppress(_Complained):
        unless_proven(name, ("generated", text, result.after, reviewed), compare) if name else compare()
    return told + [law for law in broken_laws(text, result) if not _of_a_script(law)]


class _Complained(Exception):
    """The two runs differ."""


def _without_bars(run: Run) -> Run:
    """The run with its lines stripped: a bar may leave blanks before what is printed over it."""
    return replace(run, stdout=tuple(filter(None, map(str.strip, run.stdout))))


def _of_a_script(law: str) -> bool:
    """A name that a script assigns and never reads is a local variable that is never read in a hook."""
    return "assigned to but never used" in law


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize("first", range(FIRST, FIRST + PROGRAMS, PER_TEST))
def test_programs_train_the_same(first: int, empty: Path) -> None:
    failed = []
    for seed in range(first, min(first + PER_TEST, FIRST + PROGRAMS)):
        if told := complaints(generate(seed), empty, f"seed {seed}"):
            failed.append(f"seed {seed}: {_smaller(seed, told, empty)}: {'; '.join(told)}")
    assert not failed, "\n".join(failed)


def _smaller(seed: int, told: list[str], place: Path) -> str:
    """The simplest choices that still fail in the same way, and their program."""
    kind, grammar = told[0].split()[0], family(seed)

    def fails(text: str) -> bool:
        try:
            return any(t.split()[0] == kind for t in complaints(text, place))
        except AssertionError:
            return False

    found = grammar.simplest(draw(seed), fails)
    return f"{grammar.described(found)}\n{grammar.write(found)}"


@pytest.mark.slow
@pytest.mark.parametrize("grammar", EVERY_FAMILY, ids=lambda g: g.name)
def test_programs_are_python_and_reproducible(grammar: Grammar) -> None:
    seen = set()
    for seed in range(100):
        text = grammar.write(grammar.draw(seed))
        assert text == grammar.write(grammar.draw(seed))
        compile(text, f"seed {seed}", "exec")
        seen.add(text)
    assert len(seen) > 95


@pytest.mark.slow
@pytest.mark.parametrize(("grammar", "name"), [(g, n) for g in EVERY_FAMILY for n in g.dimensions])
def test_every_option_writes_python(grammar: Grammar, name: str) -> None:
    for option in grammar.dimensions[name]:
        compile(grammar.write({**grammar.plain(), name: option}), f"{name}={option}", "exec")


@pytest.mark.parametrize("grammar", EVERY_FAMILY, ids=lambda g: g.name)
def test_the_plain_program_converts_to_automatic_optimization(grammar: Grammar) -> None:
    assert _converted(grammar, {}).mechanism is Mechanism.AUTOMATIC


@pytest.mark.parametrize("shape", SHAPES.dimensions["shape"])
def test_every_shape_converts_when_it_is_plain(shape: str) -> None:
    result = _converted(SHAPES, {"shape": shape})
    assert result.outcome is Outcome.CONVERTED, [f.message for f in result.findings]


def test_simplest_drops_what_does_not_matter() -> None:
    choices = {**EPOCHS.draw(3), "clip": "value", "save": "best"}
    found = EPOCHS.simplest(choices, lambda text: "clip_grad_value_" in text)
    assert EPOCHS.described(found) == "epochs: clip=value"


def _converted(grammar: Grammar, choices: Choices) -> Conversion:
    return convert_text(grammar.write({**grammar.plain(), **choices}), "raw.py", Options())
