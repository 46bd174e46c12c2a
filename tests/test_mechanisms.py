"""A mechanism that does not hold leaves nothing behind but what was found out."""

from __future__ import annotations

from dataclasses import fields

import pytest
from fixture_cases import case

from torch2lit import catalogue as catalogue
from torch2lit.api import convert_source
from torch2lit.options import Options
from torch2lit.plan.draft import Draft
from torch2lit.plan.make import make_plan
from torch2lit.program import Mechanism
from torch2lit.recover.effects import EffectAnalysis
from torch2lit.recover.nest import recover_nests
from torch2lit.recover.roles import roles_of
from torch2lit.recover.syntax import source_of
from torch2lit.recover.variables import Variables
from torch2lit.report.analysis import render_analysis

FOUND_OUT = {"findings", "obstacles", "declined"}


def _draft(text: str) -> Draft:
    source = source_of(text)
    roles = roles_of(source)
    (nest,) = recover_nests(source, roles).nests
    return Draft(source, roles, EffectAnalysis(source, roles, ""), Variables(roles), nest, Options())


SCRIPT = """\
import torch

model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = torch.utils.data.DataLoader([(torch.ones(2), torch.ones(1))] * 6, batch_size=2)
for epoch in range(2):
    for x, y in loader:
        loss = ((model(x) - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(model.weight.sum().item(), loss.grad_fn)
        if loss.item() < 0.01:
            break
    print(epoch)
"""


def test_a_fork_decides_for_itself() -> None:
    """Every container of decisions is the fork's own; what is found out is shared."""
    draft = _draft(SCRIPT)
    fork = draft.fork()
    for one in fields(Draft):
        mine, other = getattr(draft, one.name), getattr(fork, one.name)
        if isinstance(mine, dict | list):
            assert (mine is other) == (one.name in FOUND_OUT), one.name
    assert fork.epoch is not draft.epoch and fork.epoch.batch is not draft.epoch.batch
    frame = draft.nest.entry
    x, y = (fork.variables.of(frame, name) for name in ("model", "optimizer"))
    assert x is not None and y is not None
    fork.variables.unite(x, y)
    assert fork.variables.find(x) is y and draft.variables.find(x) is x


def test_the_first_draft_stays_as_it_was() -> None:
    """Whatever is tried, the draft that was handed in has no decisions."""
    draft = _draft(SCRIPT)
    planned, _configured, _state = make_plan(draft)
    assert planned.mechanism is not Mechanism.AUTOMATIC and planned.hooks
    assert not (draft.hooks or draft.removals or draft.claims or draft.idioms or draft.imports)


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("accumulation-left-by-break", [Mechanism.AUTOMATIC]),
        ("break-between-forward-and-backward", [Mechanism.AUTOMATIC, Mechanism.MANUAL]),
    ],
)
def test_every_obstacle_on_the_way_is_known(name: str, tried: list[Mechanism]) -> None:
    """The reasons against each better mechanism are kept, in the order of trying."""
    planned, _configured, _state = make_plan(_draft(case(name).raw))
    assert [mechanism for mechanism, _obstacle in planned.obstacles] == tried
    assert all(obstacle.reason for _mechanism, obstacle in planned.obstacles)


def test_a_verbose_analysis_names_every_obstacle() -> None:
    """Whoever wants a better mechanism reads what stands in the way of each."""
    result = convert_source(case("break-between-forward-and-backward").raw, "raw.py")
    told = render_analysis([result], verbose=True)
    (nest,) = result.nests
    assert [name for name, _line, _why in nest.obstacles] == ["automatic", "manual"]
    assert all(f"not {name}" in told and f"line {line}: {why}" in told for name, line, why in nest.obstacles)
    assert "not automatic" not in render_analysis([result])
