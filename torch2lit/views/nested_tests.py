"""A program whose evaluation stands under a condition inside of another one: as one with the whole condition around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..memory import is_python, tree_of
from ..nested_tests.found import Nested, find_nested
from ..nested_tests.text import apart
from ..origin import Origin, sorted_ledger
from ..plan.ledger import entry_of
from ..plan.validation_in_batch import EVERY_BATCH
from ..program import Conversion, Fate, Mechanism, Outcome
from .way import NESTED_TESTS, UNCONVERTED, Blocked, Program, Way, as_it_is


class NestedTestsView:
    """A program in which each part of such a block stands under its own condition."""

    name = NESTED_TESTS

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with the blocks apart, where the evaluation is Lightning's then."""
        if program.view is not None or not program.nests:
            return
        found = find_nested(program.nests, program.roles, program.path)
        new = apart(program.source, found) if found else None
        if new is not None and is_python(new.text):
            seen = program.moved(new.text, new.lines)
            yield Way(seen, Origin(program.text, new.lines), partial(_finished, program, found))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(program: Program, found: list[Nested], told: Conversion, result: Conversion) -> Conversion | Blocked:
    """The conversion when Lightning evaluates and nothing of it stays, with the conditions in the ledger."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism not in (Mechanism.AUTOMATIC, Mechanism.MANUAL):
        return Blocked(UNCONVERTED)
    hooks = {n.name for n in ast.walk(tree_of(result.after)) if isinstance(n, ast.FunctionDef)}
    if "validation_step" not in hooks or any(f.slug == "validation-kept" for f in result.findings):
        return Blocked("evaluation-left")
    if any(one.in_batch for one in found) and f"{EVERY_BATCH}=" not in result.after:
        return Blocked("evaluation-left")
    known = {entry.line for entry in told.ledger}
    why = "the condition stands in those of its parts"
    more = [
        entry_of(program.source, one.outer, Fate.REPLACED, "conditions of its parts", "nested_tests", why)
        for one in found
        if one.outer.lineno not in known
    ]
    finished = as_it_is(told, result)
    return (
        finished
        if isinstance(finished, Blocked)
        else replace(finished, ledger=sorted_ledger([*finished.ledger, *more]))
    )
