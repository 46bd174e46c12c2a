"""The search is bounded, asks views in their order, and takes the second best only when nothing better follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from torch2lit import catalogue as catalogue
from torch2lit import search as searching
from torch2lit.options import Options
from torch2lit.origin import Origin
from torch2lit.program import Conversion, Mechanism, Outcome
from torch2lit.search import VIEWS, search
from torch2lit.views.way import ALL, Blocked, Program, View, Way

SCRIPT = """\
import torch

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = [(torch.ones(3, 2), torch.ones(3, 1))] * 4
for epoch in range(2):
    for x, y in loader:
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


class Offers:
    """A view that offers the same program, and what it makes of the conversion."""

    name = "offers"

    def __init__(self, *, closes: bool, second_best: bool = False, mechanism: Mechanism | None = None) -> None:
        self.closes, self.second_best, self.mechanism = closes, second_best, mechanism
        self.asked = 0

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The program itself."""
        self.asked += 1
        seen = program.seen(program.text, self.name) if self.closes else program
        yield Way(seen, Origin(program.text), self.finish, second_best=self.second_best)

    def finish(self, told: Conversion, result: Conversion) -> Conversion | Blocked:
        """The conversion under another mechanism, None for a way that leads nowhere."""
        if self.mechanism is None:
            return Blocked("nowhere", "it leads nowhere")
        return replace(told, mechanism=self.mechanism)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _searched(monkeypatch: pytest.MonkeyPatch, *views: View) -> Conversion:
    monkeypatch.setattr(searching, "VIEWS", views)
    return search(Program(SCRIPT, "raw.py", Options()))


def test_names_are_those_that_close_views() -> None:
    assert {view.name for view in VIEWS} < ALL


def test_a_view_that_leads_to_itself_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ways on top of each other have an end, even where nothing closes the view."""
    view = Offers(closes=False)
    assert _searched(monkeypatch, view).mechanism is Mechanism.AUTOMATIC
    assert 1 < view.asked <= 20


def test_the_first_way_that_leads_on_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Offers(closes=True, mechanism=Mechanism.MANUAL), Offers(closes=True, mechanism=Mechanism.EPOCHS)
    assert _searched(monkeypatch, first, second).mechanism is Mechanism.MANUAL
    assert (first.asked, second.asked) == (1, 0)


def test_the_second_best_waits_for_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole epochs by a view lose against automatic optimization without it."""
    view = Offers(closes=True, second_best=True, mechanism=Mechanism.EPOCHS)
    result = _searched(monkeypatch, view)
    assert (result.outcome, result.mechanism) == (Outcome.CONVERTED, Mechanism.AUTOMATIC)
    good = Offers(closes=True, second_best=True, mechanism=Mechanism.MANUAL)
    assert _searched(monkeypatch, good).mechanism is Mechanism.MANUAL
