"""A program whose loops count to a number and get a batch in each turn: as one whose loops run over a source of those batches."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..batch_source.found import BatchSource, find_batch_sources
from ..batch_source.text import Derived, derived
from ..files.edits import edits_between
from ..memory import tree_of
from ..origin import Origin, sorted_ledger
from ..plan.ledger import entry_of
from ..program import Conversion, Fate, LedgerEntry, Mechanism, Outcome
from ..recover.syntax import Source, walk_statements
from .way import BATCH_SOURCE, UNCONVERTED, Blocked, Program, Way


class BatchSourceView:
    """A program in which a source hands over what each turn of such a loop gets at its head."""

    name = BATCH_SOURCE

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with such sources for all loops, and for each of them alone."""
        if program.view is not None or program.group is not None or not program.nests:
            return
        found = find_batch_sources(program.nests, program.roles, program.path)
        tries = [found, *([one] for one in found if len(found) > 1)] if found else []
        for some in tries:
            if (new := derived(program.source, some)) is not None:
                yield _way(program, new)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _way(program: Program, new: Derived) -> Way:
    origin = Origin(program.text, new.lines)
    return Way(program.moved(new.text, new.lines, BATCH_SOURCE), origin, partial(_finished, program, new))


def _finished(program: Program, new: Derived, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With the source's statements in the ledger, when a Trainer runs over every source."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    heads = [n.iter for n in ast.walk(tree_of(result.after)) if isinstance(n, ast.For)]
    if any(isinstance(n, ast.Name) and n.id in new.classes for head in heads for n in ast.walk(head)):
        return Blocked("loop-left")
    moved = [entry for name, one in new.classes.items() for entry in _moved(program.source, name, one)]
    ledger = sorted_ledger([*(_before(entry, moved) for entry in told.ledger), *moved])
    return replace(told, ledger=ledger, edits=edits_between(program.text, result.after))


def _before(entry: LedgerEntry, moved: list[LedgerEntry]) -> LedgerEntry:
    """An entry of a loop's head, which ends where the statements begin that its body had before they were the source's."""
    first = min((m.line for m in moved if entry.line < m.line <= entry.end_line), default=None)
    return entry if first is None else replace(entry, end_line=first - 1)


def _moved(source: Source, name: str, one: BatchSource) -> Iterator[LedgerEntry]:
    for statement in walk_statements([*one.heads, *one.made]):
        why = "the Trainer asks for each batch at the same moment"
        yield entry_of(source, statement, Fate.MOVED, f"{name}.__iter__", "batch_source", why)
