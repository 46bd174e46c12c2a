"""Every golden case that saves can be asked for natively: Lightning saves the same weights after the same steps, or the script goes on doing it."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
from fixture_cases import broken_laws, case, conversion, names, reviews
from fixture_runs import differences, raw_run, run_by, run_of
from proven import unless_proven

from torch2lit.api import convert_source
from torch2lit.program import Conversion, Outcome

SAVING = [name for name in names() if case(name).run and "torch.save(" in case(name).raw]


@functools.cache
def natively(name: str, level: str = "native") -> Conversion:
    c = case(name)
    if level == c.options.level == "exact" and c.options.checkpoints is None and c.options.asked("logger") == "own":
        return conversion(name)  # as the other tests of the case have it
    return convert_source(c.raw, "raw.py", replace(c.options, level=level, checkpoints=None, logger="own"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAVING)
def test_it_breaks_no_law(name: str) -> None:
    result = natively(name)
    assert result.error == "" and broken_laws(case(name).raw, result) == []
    exact = natively(name, "exact")
    assert (result.outcome, result.mechanism) == (exact.outcome, exact.mechanism), "it costs no better mechanism"
    if result.after != exact.after:
        told = {"checkpoints-by-lightning", "checkpoints-by-callback", "sum-by-lightning"}
        assert any(found.slug in told for found in result.findings)


@pytest.mark.needs("torch", "lightning")
@pytest.mark.parametrize("name", SAVING)
def test_it_trains_and_saves_the_same(name: str) -> None:
    result = natively(name)
    if result.outcome is not Outcome.CONVERTED or result.after == natively(name, "exact").after:
        pytest.skip("nothing is saved by Lightning")

    def compare() -> None:
        told = differences(raw_run(name), run_of(name, result.after))
        assert not told or reviews(result), ["trains differently and no finding says so", *told]

    unless_proven(name, ("trains natively", run_by(case(name)), result.after, bool(reviews(result))), compare)
