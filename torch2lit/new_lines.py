"""Where every line of the new text comes from: a line of the raw one, as it was or moved, or what was written for Lightning."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from .files.edits import edits_between
from .files.lines import split_lines
from .memory import tree_of
from .origin import origin_of_edits
from .program import Conversion, Fate, LedgerEntry, Outcome

Kind = Literal["kept", "moved", "written"]


@dataclass(frozen=True, slots=True)
class LineOrigin:
    """The lines ``line`` to ``end_line`` of the new text, counted from 1, and where they come from.

    ``raw`` is the raw line of the first of them, 0 for what was written anew; ``place`` is what they stand in:
    a hook, the Trainer call, an import, "" for code outside of all that was written.
    """

    line: int
    end_line: int
    kind: Kind
    raw: int
    place: str


def origins_of(conversion: Conversion) -> tuple[LineOrigin, ...]:
    """One entry per run of lines with one origin; () for a file that was not converted."""
    if conversion.outcome is not Outcome.CONVERTED:
        return ()
    lines = split_lines(conversion.after)
    kept = kept_lines(conversion)
    raw_texts: dict[str, list[int]] = {}
    gone = set(range(1, len(split_lines(conversion.before)) + 1)) - set(kept.values())
    for number, text in enumerate(split_lines(conversion.before), start=1):
        if number in gone and (key := _said(text)):
            raw_texts.setdefault(key, []).append(number)
    places = _places(conversion.after)
    found: list[LineOrigin] = []
    for number, text in enumerate(lines, start=1):
        if number in kept:
            one = LineOrigin(number, number, "kept", kept[number], "")
        else:
            place = places.get(number, "")
            numbers = raw_texts.get(_said(text), [])
            raw = numbers.pop(0) if len(numbers) > 1 else (numbers[0] if numbers else 0)
            one = LineOrigin(number, number, "moved" if raw else "written", raw, place)
        found.append(one)
    return tuple(_runs(found))


def kept_lines(conversion: Conversion) -> dict[int, int]:
    """For each line of the new text that is a raw line in its old place: the raw line's number."""
    edits = conversion.edits or edits_between(conversion.before, conversion.after)
    return dict(origin_of_edits(conversion.before, edits).lines or {})


def true_to_text(conversion: Conversion) -> Conversion:
    """The conversion with a ledger that says of no line that it is kept when the new text does not hold it."""
    if conversion.outcome is not Outcome.CONVERTED or not conversion.ledger:
        return conversion
    kept = set(kept_lines(conversion).values())
    texts = {line.strip() for line in split_lines(conversion.after)}
    entries = [
        _without_claim(entry, texts)
        if entry.fate is Fate.KEPT and entry.line not in kept and entry.source not in texts
        else entry
        for entry in conversion.ledger
    ]
    return replace(conversion, ledger=tuple(entries))


def _without_claim(entry: LedgerEntry, texts: set[str]) -> LedgerEntry:
    if re.match(r"(?:import|from)\b", entry.source):
        why, target, codemod = "nothing uses it, or a name of it, any more", "no import", "unused_imports"
    elif entry.codemod:
        why, target, codemod = entry.reason, "the same place", entry.codemod
    else:
        why, target, codemod = (
            "nothing reads it any more, or it is written for Lightning",
            "the same place",
            "rename_names",
        )
    return replace(entry, fate=Fate.REPLACED, target=target, codemod=codemod, reason=why)


def _said(text: str) -> str:
    """What a line says, whatever object its names belong to and however it is laid out."""
    return re.sub(r"\s+", "", re.sub(r"\bself\.(?:hparams\.)?", "", text.partition("  #")[0]))


def _places(text: str) -> dict[int, str]:
    """What each line of a text stands in: a method, a class, a Trainer call, an import."""
    found: dict[int, str] = {}
    try:
        tree = tree_of(text)
    except (SyntaxError, ValueError, RecursionError):
        return found
    for node in ast.walk(tree):
        for line, place in _place_of(node):
            found[line] = place
    return found


def _place_of(node: ast.AST) -> Iterator[tuple[int, str]]:
    """``ast.walk`` meets outer nodes before inner ones, so the innermost place is told last."""
    match node:
        case ast.ClassDef(name=name):
            place = f"class {name}"
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            place = name
        case ast.Import() | ast.ImportFrom():
            place = "import"
        case ast.Assign(value=ast.Call(func=ast.Attribute(attr="Trainer" | "Fabric" as made))):
            place = made
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="fit"))):
            place = "fit"
        case _:
            return
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    for line in range(first, (node.end_lineno or first) + 1):
        yield line, place


def _runs(lines: list[LineOrigin]) -> Iterator[LineOrigin]:
    """Lines that follow each other and have one origin, as one entry."""
    run: LineOrigin | None = None
    for one in lines:
        follows = run is not None and (one.kind, one.place) == (run.kind, run.place)
        if run is not None and follows and one.raw == (run.raw + one.line - run.line if run.raw else 0):
            run = replace(run, end_line=one.line)
            continue
        if run is not None:
            yield run
        run = one
    if run is not None:
        yield run
