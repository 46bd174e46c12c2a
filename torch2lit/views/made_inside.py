"""A program whose training functions make the optimizers that they are given, so that the module can make them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import edits_between
from ..made_inside.given import find_given
from ..made_inside.returned import find_returned
from ..made_inside.returned_text import made_by_callers
from ..made_inside.text import Made, made_inside
from ..origin import Origin, sorted_ledger
from ..program import Conversion, Fate, LedgerEntry, Mechanism, Outcome
from ..recover.wanted_names import WantedNames
from .way import MADE_INSIDE, UNCONVERTED, Blocked, Program, Way

_MOST = 6
"""More optimizers and schedulers than any training function is given."""


class MadeInsideView:
    """A program in which training functions make what each call makes for them."""

    name = MADE_INSIDE

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which all of them are made inside."""
        if program.view is not None or program.group is not None or "\r" in program.text.replace("\r\n", ""):
            return
        made = _all_made(program)
        if made is not None:
            origin = Origin(program.text, made.lines)
            yield Way(program.seen(made.text, MADE_INSIDE), origin, partial(_finished, program, made))

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _all_made(program: Program) -> Made | None:
    """One after the other, because each may hold what the one before it made."""
    done: Made | None = None
    wanted = WantedNames(program.path)
    for _ in range(_MOST):
        made = _next_made(program, wanted)
        if made is None:
            return done
        if done is not None:
            before = done.lines
            now = {raw: new for new, raw in made.lines.items() if new not in made.made}
            earlier = tuple(now[line] for line in done.made if line in now)
            lines = {n: before[m] for n, m in made.lines.items()}
            gone = tuple((before[first], before[last]) for first, last in made.gone)
            made = Made(made.text, lines, (*made.made, *earlier), (*done.gone, *gone))
        done = made
        program = Program(made.text, program.path, program.options)
    return done


def _next_made(program: Program, wanted: WantedNames) -> Made | None:
    """The text in which one thing more is made where it is used: by the function that is given it, or by who calls the one that makes it."""
    owners = [f.about for f in program.classes_that_train if f.about]
    classes = [c for name in owners if (c := program.source.classes.get(name)) is not None]
    given = find_given(program.nests, program.roles, wanted, classes)
    made = made_inside(program.source, given) if given is not None else None
    if made is not None or not (program.nests or classes):
        return made
    returned = find_returned(program.roles, wanted)
    return made_by_callers(program.source, returned) if returned is not None else None


def _finished(program: Program, made: Made, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """As it is, when the module makes all of them."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    moved = {n for e in result.ledger if e.target == "configure_optimizers" for n in range(e.line, e.end_line + 1)}
    if not set(made.made) <= moved:
        return Blocked("made-outside")
    known = {entry.line for entry in told.ledger}
    entries = [_entry(program, *lines) for lines in made.gone if lines[0] not in known]
    return replace(
        told, edits=edits_between(program.text, result.after), ledger=sorted_ledger([*told.ledger, *entries])
    )


def _entry(program: Program, line: int, end: int) -> LedgerEntry:
    text = program.source.lines[line - 1].strip()[:400]
    codemod = target = "configure_optimizers"
    return LedgerEntry(line, end, text, Fate.REPLACED, target, codemod, "the module makes one for each training")
