"""Training in methods to a Trainer: each class that trains is seen plainly, and the view is converted like any other program."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ..ddp.hindrances import in_one_clause
from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..findings import Finding
from ..objects.classes import Family, find_family, starts_processes
from ..objects.restore import in_raw_words
from ..objects.view import PlainView, plain_view
from ..origin import Origin, Words, origin_of_edits
from ..program import Conversion, Outcome
from ..recover.nest import Nest, Recovered, recover_nests
from ..recover.project_text import other_text
from ..recover.roles import Roles, roles_of
from ..recover.state_names import STATE
from ..recover.syntax import Source, source_of
from .inherited import drivers_brought_down
from .way import ALL, INHERITED, METHODS, MODERN, UNCONVERTED, UNFOLDABLE, Blocked, Program, Way, as_it_is
from .wrapped import why_wrapped, wrapped_ways

_WORDS = Words(in_raw_words, lambda name: in_raw_words(name).removeprefix("self."))
_QUIET, _LEFT, _DRIVEN, _VIEW = "never-trains", "left-on-request", "inherited", "view"


class MethodsView:
    """A program in which one object's attributes are variables and its methods functions."""

    name = METHODS

    def ways(self, program: Program) -> Iterator[Way | Blocked]:
        """The plain view of each class that trains, one whose training is driven by inherited methods first."""
        others = other_text(program.path)
        owners = _owners(program.source, program.classes_that_train)
        grouped = program.group is not None
        for owner in owners if INHERITED not in program.closed else ():
            yield from _with_drivers(program, owner, others)
        for owner in owners:
            if not grouped and starts_processes(program.source):
                yield from wrapped_ways(program, owner, others)
            else:
                yield from _seen_plainly(program, owner, others, grouped)

    def without(self, program: Program, blocked: list[Blocked]) -> Program:
        """The program with the reason for each class; nothing is said of one that never trains."""
        if not blocked:
            return program
        reasons: dict[ast.ClassDef | None, Blocked] = {}
        driven = {one.about: one for one in blocked if one.code == _DRIVEN}
        for one in blocked:
            if one.code == UNFOLDABLE and program.group is not None:
                one = replace(one, code=_VIEW, reason=in_raw_words(in_one_clause(one.hindrances)))
            elif one.code in (UNFOLDABLE, UNCONVERTED):
                one = why_wrapped(one)
            reasons[one.about] = driven.get(one.about, one) if one.code in (_VIEW, _LEFT) else one
        explained = []
        for found in program.findings:
            reason = reasons.get(_about(found, program.source))
            if reason is None or reason.code != _QUIET:
                explained.append(found.with_reason(reason.reason) if reason is not None and reason.reason else found)
        return replace(program, explained=tuple(explained))


def _with_drivers(program: Program, owner: ast.ClassDef, others: str) -> Iterator[Way | Blocked]:
    """The class with the methods of a base in another file that drive its training."""
    family = find_family(program.source, program.roles, owner, others)
    edits = drivers_brought_down(program.source, program.roles, family, others) if isinstance(family, Family) else ()
    if isinstance(edits, str):
        yield Blocked(_DRIVEN, edits, about=owner)
    elif edits:
        combined = apply_edits(split_lines(program.text), list(edits))
        origin = origin_of_edits(program.text, edits)
        yield Way(program.seen(combined, MODERN), origin, partial(_driven, owner), about=owner)


def _driven(owner: ast.ClassDef, told: Conversion, result: Conversion) -> Conversion | Blocked:
    about = [f for f in result.findings if f.slug == "loop-in-class" and f.about == owner.name]
    if result.outcome is not Outcome.CONVERTED or about:
        reason = about[0].because if about else ""
        return Blocked(_DRIVEN, reason or "no Trainer holds the loop that it inherits", about=owner)
    nests = tuple(nest if nest.line else replace(nest, line=owner.lineno) for nest in told.nests)
    return as_it_is(replace(told, nests=nests), result)


def _seen_plainly(program: Program, owner: ast.ClassDef, others: str, grouped: bool) -> Iterator[Way | Blocked]:
    """The plain view of a class, or why it leads nowhere."""
    source, roles = program.source, program.roles
    family = find_family(source, roles, owner, others, grouped=grouped)
    if isinstance(family, str):
        yield Blocked("class", family, about=owner)
        return
    view = plain_view(source, family, others)
    if view is None:
        reason = f"class `{owner.name}` is written in a way that cannot be taken apart"
        yield Blocked("class", reason, about=owner)
        return
    seen = Program(view.text, program.path, program.options, ALL, program.group, view)
    if not any(_in_methods(n, view) for n in seen.nests):
        problems = _new_problems(seen.recovered, program.recovered)
        reason = in_raw_words(problems[0].message) if problems else ""
        if any(_in_methods(n, view) for n in seen.skipped):
            yield Blocked(_LEFT, about=owner)
        else:
            yield Blocked(_VIEW if reason else _QUIET, reason, about=owner)
        return
    finish = partial(_finished, program, owner, others)
    yield Way(seen, Origin(program.text, words=(_WORDS,)), finish, goes_on=True, about=owner)


def _finished(
    program: Program, owner: ast.ClassDef, others: str, told: Conversion, result: Conversion
) -> Conversion | Blocked:
    """The conversion of a view, unless it leaves training behind that a second conversion would take up."""
    if result.outcome is not Outcome.CONVERTED or len(result.nests) <= len(program.recovered.nests):
        problems = [f for f in told.findings if f.severity in ("refused", "review")]
        return Blocked(_VIEW, problems[0].message if problems else "no Trainer holds its loops", about=owner)
    if STATE in result.after:
        return Blocked(_VIEW, "new code would name what only the view knows", about=owner)
    left = _still_trains(result.after, program.roles, owner, others, program.group is not None)
    if left:
        return Blocked(_VIEW, f"`{left}` trains, and it may be called from elsewhere, too", about=owner)
    return replace(told, edits=result.edits)


def _still_trains(after: str, roles: Roles, owner: ast.ClassDef, others: str, grouped: bool) -> str:
    """A method of the converted class that could train yet, which a second conversion would take up; "" when there is none."""
    source = source_of(after)
    seen = roles_of(source, roles.neighbours)
    left = [f for f in recover_nests(source, seen).findings if f.slug == "loop-in-class"]
    for one in left:
        definition = _class_at(source, one.line)
        if definition is None or definition.name != owner.name:
            continue
        method = next((m.name for m in definition.body if isinstance(m, ast.FunctionDef)
                       and m.lineno <= one.line <= (m.end_lineno or 0)), owner.name)  # fmt: skip
        family = find_family(source, seen, definition, others, grouped=grouped)
        view = plain_view(source, family, others) if not isinstance(family, str) else None
        if view is None or _trains(view, roles, recover_nests(source, seen)):
            return method
    return ""


def _trains(view: PlainView, roles: Roles, before: Recovered) -> bool:
    source = source_of(view.text, view)
    found = recover_nests(source, roles_of(source, roles.neighbours))
    return any(_in_methods(n, view) for n in found.nests) or bool(_new_problems(found, before))


def _new_problems(found: Recovered, before: Recovered) -> list[Finding]:
    """What keeps loops of a view from being followed, without what is said of the raw text anyway."""
    known = {(f.slug, f.line) for f in before.findings}
    return [f for f in found.findings if f.severity == "refused" and (f.slug, f.line) not in known]


def _about(found: Finding, source: Source) -> ast.ClassDef | None:
    return _class_at(source, found.line) if found.slug == "loop-in-class" else None


def _owners(source: Source, findings: list[Finding]) -> list[ast.ClassDef]:
    found: dict[ast.ClassDef, None] = {}
    for one in findings:
        if (owner := _class_at(source, one.line)) is not None:
            found.setdefault(owner)
    return list(found)


def _class_at(source: Source, line: int) -> ast.ClassDef | None:
    holding = [c for c in source.all(ast.ClassDef) if c.lineno <= line <= (c.end_lineno or 0)]
    return min(holding, key=lambda c: (c.end_lineno or 0) - c.lineno, default=None)


def _in_methods(nest: Nest, view: PlainView) -> bool:
    return any(view.method(f.scope) for f in (nest.entry, *nest.entered))
