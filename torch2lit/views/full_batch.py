"""A program whose loops over epochs train on the whole set in every turn: as one with a loader that has one batch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..batch_source.found import find_batch_sources
from ..files.edits import edits_between
from ..full_batch.constant import find_constant, hoisted
from ..full_batch.regions import FullBatch, find_full_batches
from ..full_batch.text import Derived, derived
from ..memory import tree_of
from ..origin import Origin, Words
from ..program import Conversion, Mechanism, Outcome
from ..recover.syntax import dotted
from .named_torch import named_torch
from .way import FULL_BATCH, UNCONVERTED, Blocked, Program, Way, as_it_is


class FullBatchView:
    """A program in which the whole set is the one batch of a loader, in each epoch."""

    name = FULL_BATCH

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with such loaders: with the evaluation over them, without it, and with those loops alone that take it."""
        torch, above = named_torch(program)
        if program.view is not None or program.group is not None or not torch or not program.nests:
            return
        found = _without_sources(program, find_full_batches(program.nests, program.roles, program.path))
        if not found and (way := _made_once(program)) is not None:
            yield way
        if any(one.further_down for one in found):
            yield Way(replace(program, closed=program.closed | {FULL_BATCH}), Origin(program.text), _over_loaders)
        while found:
            new = derived(program.source, torch, found, above)
            left: list[FullBatch] = []
            yield _way(program, new, left)
            if not left:
                return
            given_up = [one for one in left if one.evaluation is None or one.alone is None]
            found = [one.without_evaluation() if one in left else one for one in found if one not in given_up]

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _without_sources(program: Program, found: list[FullBatch]) -> list[FullBatch]:
    """Those that hand over data, and of the others those whose turns get no batch of their own that a source could make."""
    empty = [one for one in found if one.training is not None and not one.training.names]
    sources = find_batch_sources(program.nests, program.roles, program.path) if empty else []
    loops = [source.loop for source in sources]
    return [one for one in found if one not in empty or one.loop not in loops]


def _made_once(program: Program) -> Way | None:
    """The program with the data made above its loops that every turn makes in the same way, when that makes it the whole set."""
    constant = find_constant(program.nests, program.roles, program.path)
    new = hoisted(program.source, constant) if constant else None
    if new is None:
        return None
    text, lines = new
    seen = program.moved(text, lines)
    if len(find_full_batches(seen.nests, seen.roles, seen.path)) < len(constant):
        return None
    return Way(seen, Origin(program.text, lines), _over_batches)


def _over_batches(told: Conversion, result: Conversion) -> Conversion | Blocked:
    """The conversion when its turns became epochs."""
    good = result.outcome is Outcome.CONVERTED and result.mechanism in (Mechanism.AUTOMATIC, Mechanism.MANUAL)
    return as_it_is(told, result) if good else Blocked(UNCONVERTED)


def _over_loaders(told: Conversion, result: Conversion) -> Conversion | Blocked:
    """The conversion when every evaluation over a loader became Lightning's validation."""
    kept = any(finding.slug == "validation-kept" for finding in result.findings)
    good = result.outcome is Outcome.CONVERTED and result.mechanism is not Mechanism.FABRIC
    return as_it_is(told, result) if good and not kept else Blocked(UNCONVERTED)


def _way(program: Program, new: Derived, left: list[FullBatch]) -> Way:
    """``left`` gets the loops that came through without a Trainer over their loader."""
    origin = Origin(program.text, new.lines, (_words(new),))
    return Way(program.moved(new.text, new.lines, FULL_BATCH), origin, partial(_finished, program, new, left))


def _words(new: Derived) -> Words:
    """What is handed over by the script's own names."""

    def said(text: str) -> str:
        return _back(text, new)

    return Words(said, said)


def _back(text: str, new: Derived) -> str:
    if not new.names:
        return text
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(new.names)))})\b")
    return pattern.sub(lambda found: new.names[found.group()], text)


def _finished(
    program: Program, new: Derived, left: list[FullBatch], told: Conversion, result: Conversion
) -> Conversion | Blocked:
    """In the script's own names, when the Trainer runs over every loader."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        left += new.loaders.values()
        return Blocked(UNCONVERTED)
    looped = [n.iter for n in ast.walk(tree_of(result.after)) if isinstance(n, ast.For)]
    kept = {dotted(over).rpartition(".")[2] for over in looped}
    left += dict.fromkeys(one for loader, one in new.loaders.items() if loader in kept)
    if left:
        return Blocked("loader-left")
    after = _back(result.after, new)
    try:
        compile(after, program.path, "exec", dont_inherit=True)
    except SyntaxError:  # two values of one name have met in one place
        left += new.loaders.values()
        return Blocked("names-met")
    return replace(told, after=after, edits=edits_between(program.text, after))
