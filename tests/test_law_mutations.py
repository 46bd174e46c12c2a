"""The list of deliberate mutations fits the code, so that tests/break_laws.py can be run at any time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fixture_cases import names
from law_mutations import MUTATIONS, Mutation, anchor_problem

ROOT = Path(__file__).resolve().parent.parent


def test_every_mutation_can_be_made() -> None:
    assert [f"{m.law} {m.what}: {told}" for m in MUTATIONS for told in _problems(m)] == []


def _problems(mutation: Mutation) -> Iterator[str]:
    if problem := anchor_problem(ROOT, mutation):
        yield problem
    for test in mutation.tests:
        file, _, rest = test.partition("::")
        name, _, case = rest.removesuffix("]").partition("[")
        if name.rpartition("::")[2] not in (ROOT / file).read_text(encoding="utf-8"):
            yield f"there is no test {test}"
        if case and "test_fixture" in file and case not in names():
            yield f"there is no case {case}"


def test_every_law_is_broken_in_several_places() -> None:
    places = Counter(law for law, _file in {(m.law, m.file) for m in MUTATIONS})
    assert sorted(places) == [1, 2, 3, 4, 5, 6, 7]
    assert min(Counter(m.law for m in MUTATIONS).values()) >= 4
    assert len({m.what for m in MUTATIONS}) == len(MUTATIONS)


def test_a_stale_anchor_is_told() -> None:
    stale = Mutation(1, "x", "torch2lit/engine.py", "no such text", "", ())
    assert "anchor" in anchor_problem(ROOT, stale)
    frequent = Mutation(1, "x", "torch2lit/engine.py", "return", "", ())
    assert "anchor" in anchor_problem(ROOT, frequent)
