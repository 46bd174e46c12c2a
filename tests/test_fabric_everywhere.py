"""Every golden case can be asked for as Fabric, and then trains the same: Fabric is the net under all mechanisms."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
from fixture_cases import broken_laws, case, names, reviews
from fixture_runs import differences, raw_run, run_by, run_of
from proven import unless_proven

from torch2lit.api import convert_source
from torch2lit.program import Conversion, Outcome

RUNNABLE = [name for name in names() if case(name).run]


@functools.cache
def by_fabric(name: str) -> Conversion:
    c = case(name)
    return convert_source(c.raw, "raw.py", replace(c.options, target="fabric"))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNABLE)
def test_it_breaks_no_law(name: str) -> None:
    result = by_fabric(name)
    assert result.error == ""
    assert broken_laws(case(name).raw, result) == []
    if result.outcome is Outcome.CONVERTED:
        again = convert_source(result.after, "raw.py", replace(case(name).options, target="fabric"))
        assert again.outcome is Outcome.UNCHANGED
        assert convert_source(result.after, "raw.py", case(name).options).outcome is Outcome.UNCHANGED


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize("name", RUNNABLE)
def test_it_trains_the_same(name: str) -> None:
    result = by_fabric(name)
    if result.outcome is not Outcome.CONVERTED:
        pytest.skip(f"{result.outcome.value}: {result.reason}")

    def compare() -> None:
        told = differences(raw_run(name), run_of(name, result.after))
        assert not told or reviews(result), ["trains differently and no finding says so", *told]

    unless_proven(name, ("trains by Fabric", run_by(case(name)), result.after, bool(reviews(result))), compare)
