"""A program with loops over generators of its own that wrap a loader: as one whose loops run over the loader, with the generators' code around each batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..files.edits import edits_between
from ..files.lines import split_lines
from ..generator_loops.found import GeneratorLoop, find_generator_loops
from ..generator_loops.text import Opened, opened
from ..memory import tree_of
from ..origin import Origin
from ..program import Conversion, Fate, Mechanism, Outcome
from ..recover.syntax import source_of
from .way import GENERATOR, UNCONVERTED, Blocked, Program, Way


class GeneratorLoopsView:
    """A program in which such generators run through nothing any more."""

    name = GENERATOR

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text with all such loops, and then with those alone that a Trainer runs through."""
        if program.view is not None or not (program.nests or program.classes_that_train):
            return
        found = find_generator_loops(program.roles, program.path)
        while found:
            new = opened(program.roles, found)
            left: list[GeneratorLoop] = []
            origin = Origin(program.text, new.lines, beside=found[0].loop.lineno)
            seen = program.moved(new.text, new.lines, GENERATOR)
            yield Way(seen, origin, partial(_finished, program, new, found, left), second_best=True)
            found = [one for one in found if one not in left] if left else []

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(
    program: Program,
    new: Opened,
    found: list[GeneratorLoop],
    left: list[GeneratorLoop],
    told: Conversion,
    result: Conversion,
) -> Conversion | Blocked:
    """With the script's own loops in functions that stay; ``left`` gets the loops that stay anywhere else."""
    if _is_for_others_to_start(result):
        return told
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    places = {raw: line for line, raw in new.lines.items()}
    run = {entry.line for entry in result.ledger if entry.fate is Fate.REPLACED}
    after, whole = _restored(program, new, found, result.after)
    left += [one for one in found if places[one.loop.lineno] not in run and one.scope not in whole]
    if left or not any(places[one.loop.lineno] in run for one in found):
        return Blocked("loop-left")
    after = _without_needless(after, found)
    return replace(told, after=after, edits=edits_between(program.text, after))


def _is_for_others_to_start(result: Conversion) -> bool:
    """Whether all that keeps the training is that nothing in the file starts it."""
    left = {f.slug for f in result.findings if f.severity == "refused"}
    return result.outcome is Outcome.REFUSED and left == {"no-entry-point"}


def _restored(program: Program, new: Opened, found: list[GeneratorLoop], after: str) -> tuple[str, list[ast.AST]]:
    """The converted text with the script's own functions where the derived ones stand unchanged, and these functions."""
    places = {raw: line for line, raw in new.lines.items()}
    derived = {function.lineno: function for function in source_of(new.text).functions}
    back: list[ast.AST] = []
    for scope in dict.fromkeys(one.scope for one in found):
        if isinstance(scope, ast.Module) or (function := derived.get(places[scope.lineno])) is None:
            continue
        raw, seen = _lines_of(program.text, scope), _lines_of(new.text, function)
        lines = split_lines(after)
        starts = [n for n in range(len(lines) - len(seen) + 1) if lines[n : n + len(seen)] == seen]
        if len(starts) == 1:
            lines[starts[0] : starts[0] + len(seen)] = raw
            after = "".join(lines)
            back.append(scope)
    return after, back


def _lines_of(text: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    return split_lines(text)[function.lineno - 1 : function.end_lineno]


def _without_needless(after: str, found: list[GeneratorLoop]) -> str:
    """The text without imports that only the generators' code needed, where none of it is left."""
    read = {n.id for n in ast.walk(tree_of(after)) if isinstance(n, ast.Name)}
    new = {text for one in found for _line, text in one.imports}
    gone = {text for text in new if text.split()[-1].split(".")[0] not in read}
    return "".join(line for line in split_lines(after) if line.rstrip("\r\n") not in gone)
