"""The conversion of a program with its switched functions taken apart, told as one of the raw program."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable
from dataclasses import replace

from ..checks import unbound_names
from ..comments import lost_notes
from ..files.edits import edits_between
from ..files.lines import split_lines
from ..findings import Finding
from ..objects.project_text import other_text
from ..options import Options
from ..program import Conversion, Fate, LedgerEntry, Mechanism, Outcome
from ..recover.roles import Roles
from ..recover.syntax import Source, blocks, walk
from .apart import Apart, taken_apart

Again = Callable[..., Conversion]
_CODEMOD = "switch_decided"
_GOOD = (Mechanism.AUTOMATIC, Mechanism.ITERATIONS, Mechanism.MANUAL)


def convert_apart(source: Source, roles: Roles, path: str, options: Options, again: Again) -> Conversion | None:
    """The conversion in which each call runs what it asks for; None when there is none, or none that is better for it."""
    if (apart := taken_apart(source, roles, functools.partial(other_text, path))) is None:
        return None
    second = again(apart.text, path, options, apart=False)
    if second.outcome is not Outcome.CONVERTED or second.mechanism is Mechanism.FABRIC:
        return None
    after = _restored(source, apart, second.after)
    if after is None or not _is_sound(source, after, second, path, options, again):
        return None
    if second.mechanism not in _GOOD:
        plain = again(source.text, path, options, apart=False)
        if plain.outcome is Outcome.CONVERTED and plain.mechanism in _GOOD:
            return None
    return _told(source, apart, second, after)


def _restored(source: Source, apart: Apart, after: str) -> str | None:
    """The converted text with raw functions where special ones are still called; None when a training one is left."""
    tree = ast.parse(after)
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


def _is_sound(source: Source, after: str, second: Conversion, path: str, options: Options, again: Again) -> bool:
    """Whether what came back has all that it names, and trains nowhere any more."""
    if after == second.after:
        return True
    try:
        if unbound_names(after) - unbound_names(source.text):
            return False
        new = Source(after)
    except SyntaxError:
        return False
    gone = {f.name for f in source.functions if source.in_class(f)} - {f.name for f in new.functions}
    for attribute in new.all(ast.Attribute):
        method = new.scope_of(attribute)
        if attribute.attr in gone and not isinstance(method, ast.Module) and method.args.args:
            if isinstance(attribute.value, ast.Name) and attribute.value.id == method.args.args[0].arg:
                return False
    return again(after, path, options).outcome is Outcome.UNCHANGED


def _told(source: Source, apart: Apart, second: Conversion, after: str) -> Conversion:
    raw = source.text
    origins = apart.origins
    findings = [_moved(f, origins) for f in second.findings if f.slug != "comment-removed"]
    findings += lost_notes(raw, after)
    plain = re.compile(rf"(?<=[`.])({'|'.join(map(re.escape, sorted(apart.names)))})(?=[`(])")

    def named(text: str) -> str:
        return plain.sub(lambda found: apart.names[found.group()], text)

    return replace(
        second,
        before=raw,
        after=after,
        edits=edits_between(raw, after),
        findings=tuple(sorted({replace(f, message=named(f.message)) for f in findings})),
        ledger=_ledger(source, apart, second, after, named),
        nests=tuple(
            replace(
                n,
                line=origins.get(n.line, 0),
                function=apart.names.get(n.function, n.function),
                phases=tuple((phase, origins.get(line, 0)) for phase, line in n.phases),
            )
            for n in second.nests
        ),
    )


def _moved(found: Finding, origins: dict[int, int]) -> Finding:
    line = origins.get(found.line, 0)
    return replace(found, line=line, end_line=max(line, origins.get(found.end_line, line)))


def _ledger(
    source: Source, apart: Apart, second: Conversion, after: str, named: Callable[[str], str]
) -> tuple[LedgerEntry, ...]:
    """One entry for each raw statement: what the training did with it, otherwise what the evaluation did."""
    switched = [f for f in source.functions if f.name in set(apart.names.values())]
    inside: dict[int, ast.stmt] = {}
    for function in switched:
        for node in walk(function):
            if isinstance(node, ast.stmt):
                inside.setdefault(node.lineno, node)
    found: dict[int, LedgerEntry] = {}
    rest: list[LedgerEntry] = []
    new_lines: dict[int, list[int]] = {}
    for new, raw in sorted(apart.origins.items()):
        new_lines.setdefault(raw, []).append(new)
    entries = sorted(second.ledger, key=lambda e: (e.line, e.end_line))
    for line, statement in sorted(inside.items()):
        entry = next((e for n in new_lines.get(line, ()) for e in entries if e.line <= n <= e.end_line), None)
        text = source.lines[line - 1].strip()[:400]
        if entry is not None:
            found[line] = replace(entry, line=line, end_line=_header_end(statement), source=text)
        elif line not in new_lines:
            reason = "what it decides is known where the function is called"
            found[line] = LedgerEntry(line, _header_end(statement), text, Fate.REPLACED, "", _CODEMOD, reason)
        elif any(f.name in after for f in switched):
            found[line] = LedgerEntry(line, _header_end(statement), text, Fate.KEPT, "", "", "stays where it is")
    for entry in entries:
        line = apart.origins.get(entry.line, 0)
        if line and line not in inside:
            end = max(line, apart.origins.get(entry.end_line, line))
            rest.append(replace(entry, line=line, end_line=end))
    told = (
        replace(e, target=named(e.target), reason=named(e.reason), source=named(e.source))
        for e in (*found.values(), *rest)
    )
    return tuple(sorted(told, key=lambda e: (e.line, e.end_line, e.source, e.target)))


def _header_end(statement: ast.stmt) -> int:
    below = [block[0].lineno for block in blocks(statement)]
    if not below:
        return statement.end_lineno or statement.lineno
    return max(statement.lineno, min(below) - 1)
