"""Which claims of idioms are heard: the laws that hold for all of them, third parties' too.

if epoch > 0:
    clip_grad_norm_(p, 0.1)       stays: the Trainer would always clip

clip_grad_value_(p, 0.5)
clip_grad_norm_(p, 0.1)           both stay: the Trainer clips once

An idiom knows its statement. What stands around that statement, what follows it and what other claims say is looked at here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..program import Claim
from ..recover.items import Item
from .draft import BEFORE_STEP, HOOKS, Draft, Removal
from .steps import open_controls
from .trainer import planned_arguments


@dataclass(frozen=True, slots=True)
class Proposal:
    """One idiom's claim on one statement, not yet accepted.

    One that does not hold where the statement stands is remembered, too: it is in conflict with others all the same, and
    what belongs together stays together.
    """

    statement: ast.stmt
    idiom: str
    claim: Claim
    holds: bool


def holds_there(draft: Draft, item: Item, statement: ast.stmt, hook: str, claim: Claim) -> bool:
    """Whether a claim holds with what stands around its statement."""
    if not claim.unconditional or claim.anywhere:
        return True
    return (
        statement is item.node
        and (item.guard is None or item.guard.test is None)
        and not _may_be_passed(draft, item, hook)
        and not _comes_too_late(draft, item, hook, claim)
    )


def _may_be_passed(draft: Draft, item: Item, hook: str) -> bool:
    """Whether the hook may be left before it gets to the item."""
    items = draft.hooks[hook]
    earlier = items[: items.index(item)]
    return any(open_controls(draft, i.node) for i in earlier if i.kind == "statement" and i.node not in draft.removals)


def _comes_too_late(draft: Draft, item: Item, hook: str, claim: Claim) -> bool:
    """Whether something between backward and step sees what the Trainer only does when all of that hook has run."""
    if hook != BEFORE_STEP or not claim.trainer.written():
        return False
    items = draft.hooks[hook]
    later = [i for i in items[items.index(item) + 1 :] if i.node not in draft.removals]
    effects = [draft.effects_of(i) for i in later]
    return any(e.gradients or e.model or e.clock for e in effects)


def accept(draft: Draft, proposals: Sequence[Proposal]) -> None:
    """Write the claims into the draft, without those that are in conflict with one another or with the plan."""
    heard = [p for p in proposals if p.holds and not _is_in_conflict(draft, p, proposals)]
    for proposal in heard:
        claim, statement = proposal.claim, proposal.statement
        draft.claimed_by[statement] = proposal.idiom
        draft.trainer = draft.trainer.joined(claim.trainer)
        draft.methods += claim.methods
        if proposal.idiom not in draft.idioms:
            draft.idioms.append(proposal.idiom)
        if claim.replace is None:
            draft.removals[statement] = Removal(claim.target, proposal.idiom, claim.reason)
        else:
            draft.claims[statement] = claim


def _is_in_conflict(draft: Draft, proposal: Proposal, proposals: Sequence[Proposal]) -> bool:
    claim = proposal.claim
    methods = _names(claim.methods)
    if len(methods) != len(claim.methods) or methods & (_RESERVED | _names(draft.methods)):
        return True
    if claim.trainer.written() and (
        planned_arguments(draft).conflict(claim.trainer) or draft.trainer.conflict(claim.trainer)
    ):
        return True
    others = [p.claim for p in proposals if p is not proposal]
    return any(claim.trainer.conflict(o.trainer) or methods & _names(o.methods) for o in others)


_RESERVED = frozenset({*HOOKS, "__init__", "configure_optimizers"})
"""Methods that the plan writes itself, now or once it knows where every value lives."""


def _names(methods: Sequence[str]) -> set[str]:
    """The names of methods that are given as source."""
    return {found.group(1) for m in methods if (found := re.search(r"^(?:async )?def (\w+)", m, re.MULTILINE))}
