"""The conversion of a program with its switched functions taken apart, told as one of the raw program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..checks import unbound_names
from ..comments import lost_notes
from ..files.edits import edits_between
from ..files.lines import split_lines
from ..findings import Finding
from ..memory import tree_of
from ..origin import Origin, Words
from ..program import Conversion, LedgerEntry, Mechanism, Outcome
from ..recover.project_text import other_text
from ..recover.syntax import Source, source_of, walk
from ..switches.apart import Apart, taken_apart
from .copies import ledger_of_copies
from .settled import rests
from .way import SWITCHES, UNCONVERTED, WRAPPER, Blocked, Program, Way

_DECIDED = "what it decides is known where the function is called"


class SwitchesView:
    """A program in which each call of a switched function runs what it asks for."""

    name = SWITCHES

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The text in which switched functions stand once for each way in which they run."""
        if WRAPPER in program.closed or not (program.recovered.nests or program.recovered.findings):
            return
        apart = taken_apart(program.source, program.roles, partial(other_text, program.path))
        if apart is not None:
            origin = Origin(program.text, apart.origins, (_words(apart),))
            yield Way(program.seen(apart.text, SWITCHES), origin, partial(_finished, program, apart), second_best=True)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program as it is."""
        return program


def _finished(program: Program, apart: Apart, told: Conversion, result: Conversion) -> Conversion | Blocked:
    """With the raw functions where special ones are still called, and an entry for each raw statement."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC:
        return Blocked(UNCONVERTED)
    after = _restored(program.source, apart, result.after)
    if after is None or (after != result.after and not _is_sound(program, after)):
        return Blocked("not-restored")
    raw = program.text
    called = {f.lineno for f in program.source.functions if f.name in set(apart.names.values())}
    findings = {one for one in told.findings if one.slug != "comment-removed" and not _has_calls(one, called)}
    findings |= set(lost_notes(raw, after))
    return replace(
        told,
        after=after,
        edits=edits_between(raw, after),
        findings=tuple(sorted(findings)),
        ledger=_ledger(program.source, apart, result, after),
    )


def _has_calls(told: Finding, called: set[int]) -> bool:
    """Whether it is said that nothing calls a function, of which only what was taken apart has no calls."""
    return told.slug == "no-entry-point" and told.line in called


def _words(apart: Apart) -> Words:
    """The names of special functions are those of the raw ones."""
    plain = re.compile(rf"(?<=[`.])({'|'.join(map(re.escape, sorted(apart.names)))})(?=[`(])")
    return Words(
        lambda text: plain.sub(lambda found: apart.names[found.group()], text),
        lambda name: apart.names.get(name, name),
    )


def _restored(source: Source, apart: Apart, after: str) -> str | None:
    """The converted text with raw functions where special ones are still called; None when a training one is left."""
    tree = tree_of(after)
    mentioned = set(re.findall(r"\w+", after)) & set(apart.names)
    if mentioned & apart.training:
        return None
    lines = split_lines(after)
    defined = sorted(
        (f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.name in apart.names), key=lambda f: f.lineno
    )
    raw = {f.name: f for f in source.functions}
    back: set[str] = set()
    pieces: list[tuple[int, int, list[str]]] = []
    for function in defined:
        name = apart.names[function.name]
        start, end = function.lineno - 1, function.end_lineno or function.lineno
        if name in back or name not in apart.whole:
            while start > 0 and not lines[start - 1].strip():
                start -= 1
            pieces.append((start, end, []))
            continue
        back.add(name)
        own = raw[name]
        if not isinstance(source.parents[own], ast.Module | ast.ClassDef):
            continue  # nobody else can call it, so it need not train any more
        pieces.append((start, end, split_lines(source.text)[own.lineno - 1 : own.end_lineno]))
    for start, end, text in reversed(pieces):
        lines[start:end] = text
    result = "".join(lines)
    for name in sorted(mentioned):
        result = re.sub(rf"\b{name}\b", apart.names[name], result)
    missing = {apart.names[n] for n in mentioned} & apart.whole - back
    return None if missing else result


def _is_sound(program: Program, after: str) -> bool:
    """Whether what came back has all that it names, and trains nowhere any more."""
    source = program.source
    try:
        if unbound_names(after) - unbound_names(source.text):
            return False
        new = source_of(after)
    except SyntaxError:
        return False
    gone = {f.name for f in source.functions if source.in_class(f)} - {f.name for f in new.functions}
    for attribute in new.all(ast.Attribute):
        method = new.scope_of(attribute)
        if attribute.attr in gone and not isinstance(method, ast.Module) and method.args.args:
            if isinstance(attribute.value, ast.Name) and attribute.value.id == method.args.args[0].arg:
                return False
    return rests(replace(program, text=after))


def _ledger(source: Source, apart: Apart, result: Conversion, after: str) -> tuple[LedgerEntry, ...]:
    """One entry for each raw statement: what the training did with it, otherwise what the evaluation did."""
    switched = [f for f in source.functions if f.name in set(apart.names.values())]
    inside: dict[int, ast.stmt] = {}
    for function in switched:
        for node in walk(function):
            if isinstance(node, ast.stmt):
                inside.setdefault(node.lineno, node)
    origin = Origin(source.text, apart.origins, (_words(apart),))
    left = any(f.name in after for f in switched)
    return ledger_of_copies(source, origin, result, inside, _DECIDED, left)
