"""Training in methods to a Trainer: each class that trains is seen plainly, and the view is converted like any other program."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from ..ddp.group import Group, Unfoldable
from ..engine import Converter
from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..findings import Finding
from ..options import Options
from ..program import Conversion, Outcome
from ..recover.nest import Recovered, recover_nests
from ..recover.roles import Roles
from ..recover.state_names import STATE
from ..recover.syntax import Source
from .classes import Family, find_family, starts_processes
from .inherited import drivers_brought_down
from .project_text import other_text
from .restore import told
from .view import View, plain_view
from .wrapped import convert_wrapped

Again = Callable[..., Conversion]


def convert_methods(
    source: Source,
    roles: Roles,
    recovered: Recovered,
    path: str,
    options: Options,
    again: Again,
    modernise: bool,
    group: Group | None = None,
) -> Conversion | list[Finding]:
    """The conversion of the first class whose training a Trainer can hold; otherwise the findings, with the reason for each class."""
    if modernise:
        from ..legacy.modernise import modernised
        from ..legacy.modernise import told as told_modern

        modern = modernised(source, roles)
        if modern.done or modern.only_told:
            result = again(modern.after if modern.done else source.text, path, options, modernise=False)
            if result.outcome is Outcome.CONVERTED and not recovered.nests:
                return told_modern(result, modern)
            if recovered.nests:
                return recovered.findings
            return list(result.findings) or recovered.findings
    driven: dict[ast.ClassDef, str] = {}
    if (brought := _with_drivers(source, roles, recovered, path, options, again, driven)) is not None:
        return brought
    reasons: dict[ast.ClassDef, str | None] = {}
    quiet: set[ast.ClassDef] = set()
    others = other_text(path)
    before = recover_nests(source, roles)
    grouped = group is not None
    for owner in _owners(source, recovered):
        if not grouped and starts_processes(source):
            one = convert_wrapped(source, roles, owner, others, path, options, again)
            if isinstance(one, Conversion):
                return one
            reasons[owner] = one
            continue
        family = find_family(source, roles, owner, others, grouped=grouped)
        if isinstance(family, str):
            reasons[owner] = family
            continue
        view = plain_view(source, family, others)
        if view is None:
            reasons[owner] = f"class `{owner.name}` is written in a way that cannot be taken apart"
            continue
        found = _convert_view(view, roles, path, options, before, group)
        if isinstance(found, Conversion):
            left = _still_trains(found.after, roles, owner, others, grouped)
            if not left:
                return _with_others(found, path, options, again)
            found = f"`{left}` trains, and it may be called from elsewhere, too"
        if found == "":
            quiet.add(owner)
        else:
            reasons[owner] = driven.get(owner, found)
    return [_with_reason(f, source, reasons) for f in recovered.findings if _about(f, source) not in quiet]


def _with_drivers(
    source: Source,
    roles: Roles,
    recovered: Recovered,
    path: str,
    options: Options,
    again: Again,
    driven: dict[ast.ClassDef, str],
) -> Conversion | None:
    """The conversion of a class whose training is driven by methods that it inherits from another file.

    ``driven`` gets the reason for each class with such methods that is not converted.
    """
    from ..passes import joined

    others = other_text(path)
    for owner in _owners(source, recovered):
        family = find_family(source, roles, owner, others)
        edits = drivers_brought_down(source, roles, family, others) if isinstance(family, Family) else ()
        if isinstance(edits, str):
            driven[owner] = edits
        if isinstance(edits, str) or not edits:
            continue
        combined = apply_edits(split_lines(source.text), list(edits))
        second = again(combined, path, options, modernise=False)
        if second.outcome is not Outcome.CONVERTED or any(_names(f, owner) for f in second.findings):
            about = next((f.message for f in second.findings if _names(f, owner)), "")
            driven[owner] = about.partition("`: ")[2] or "no Trainer holds the loop that it inherits"
            continue
        first = Conversion(path, Outcome.CONVERTED, source.text, combined, second.mechanism, edits=edits)
        return joined(first, second)
    return None


def _names(found: Finding, owner: ast.ClassDef) -> bool:
    return found.slug == "loop-in-class" and f"`{owner.name}`" in found.message


def _with_others(first: Conversion, path: str, options: Options, again: Again) -> Conversion:
    """The conversion together with that of the next class of the file that trains."""
    if not any(f.slug == "loop-in-class" for f in first.findings):
        return first
    following = again(first.after, path, options, modernise=False)
    if following.outcome is not Outcome.CONVERTED:
        return first
    from ..passes import joined

    return joined(replace(first, findings=tuple(f for f in first.findings if f.slug != "loop-in-class")), following)


def _still_trains(after: str, roles: Roles, owner: ast.ClassDef, others: str, grouped: bool) -> str:
    """A method of the converted class that could train yet, which a second conversion would take up; "" when there is none."""
    source = Source(after)
    seen = Roles(source, roles.neighbours)
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


def _trains(view: View, roles: Roles, before: Recovered) -> bool:
    source = Source(view.text, view)
    found = recover_nests(source, Roles(source, roles.neighbours))
    return any(_in_methods(n, view) for n in found.nests) or bool(_new_problems(found, before))


def _new_problems(found: Recovered, before: Recovered) -> list[Finding]:
    """What keeps loops of a view from being followed, without what is said of the raw text anyway."""
    known = {(f.slug, f.line) for f in before.findings}
    return [f for f in found.findings if f.severity == "refused" and (f.slug, f.line) not in known]


def _about(found: Finding, source: Source) -> ast.ClassDef | None:
    return _class_at(source, found.line) if found.slug == "loop-in-class" else None


def _owners(source: Source, recovered: Recovered) -> list[ast.ClassDef]:
    found: dict[ast.ClassDef, None] = {}
    for one in recovered.findings:
        if one.slug == "loop-in-class" and (owner := _class_at(source, one.line)) is not None:
            found.setdefault(owner)
    return list(found)


def _class_at(source: Source, line: int) -> ast.ClassDef | None:
    holding = [c for c in source.all(ast.ClassDef) if c.lineno <= line <= (c.end_lineno or 0)]
    return min(holding, key=lambda c: (c.end_lineno or 0) - c.lineno, default=None)


def _convert_view(
    view: View, roles: Roles, path: str, options: Options, before: Recovered, group: Group | None
) -> Conversion | str | None:
    """The conversion of a view, told in the raw text's words, or what stood in its way.

    "" when no method ever trains, None when a comment asks to leave it alone.
    """
    source = Source(view.text, view)
    seen = Roles(source, roles.neighbours)
    recovered = recover_nests(source, seen)
    from ..engine import skipped_nests

    skipped = skipped_nests(source, recovered.nests)
    nests = [n for n in recovered.nests if n not in skipped]
    if not any(_in_methods(n, view) for n in nests):
        if any(_in_methods(n, view) for n in skipped):
            return None
        problems = _new_problems(recovered, before)
        return told(problems[0].message) if problems else ""
    converter = Converter(source, seen, path, options)
    converter.group = group
    try:
        result = converter.run(nests, recovered.findings)
    except Unfoldable as reason:
        return told(reason.reason)
    if result.outcome is not Outcome.CONVERTED or len(result.nests) <= len(before.nests):
        problems = [f for f in result.findings if f.severity in ("refused", "review")]
        return told(problems[0].message) if problems else "no Trainer holds its loops"
    if STATE in result.after:
        return "new code would name what only the view knows"
    return _in_raw_words(result, view)


def _in_methods(nest: object, view: View) -> bool:
    from ..recover.nest import Nest

    assert isinstance(nest, Nest)
    return any(view.method(f.scope) for f in (nest.entry, *nest.entered))


def _in_raw_words(result: Conversion, view: View) -> Conversion:
    lines = view.raw.lines
    last = view.raw.tree.body[-1].end_lineno or 0  # the view has one statement more, below the text
    return replace(
        result,
        findings=tuple(sorted(replace(f, message=told(f.message)) for f in result.findings)),
        ledger=tuple(
            replace(e, source=lines[e.line - 1][:400].strip(), target=told(e.target), reason=told(e.reason))
            for e in result.ledger
            if e.line <= last
        ),
        nests=tuple(
            replace(
                n,
                function=told(n.function).removeprefix("self."),
                loops=tuple(map(told, n.loops)),
                roles=tuple((role, told(name)) for role, name in n.roles),
            )
            for n in result.nests
        ),
    )


def _with_reason(found: Finding, source: Source, reasons: dict[ast.ClassDef, str | None]) -> Finding:
    owner = _about(found, source)
    if owner is None or not reasons.get(owner):
        return found
    return replace(found, message=f"{found.message}: {reasons[owner]}")
