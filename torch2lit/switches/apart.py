"""The text of a program in which every switched function stands once for each way in which it runs."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from keyword import iskeyword

from ..files.edits import apply_edits
from ..files.lines import split_lines
from ..program import Edit
from ..recover.roles import Roles, roles_of
from ..recover.switches import Switched, Switches
from ..recover.syntax import Source, source_of
from .special import folded

_ROUNDS = 4
_PAIRS = (("training", "evaluation"), ("train_pass", "eval_pass"), ("train_part", "eval_part"))
_WORD = re.compile(r"\w+")


@dataclass
class Apart:
    """The new text, and for each of its lines the raw one, 0 for none, both counted from 1."""

    text: str
    origins: dict[int, int]
    names: dict[str, str] = field(default_factory=dict)
    """For each new function the one of which it is a special running."""
    training: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    """The functions that are gone."""


def taken_apart(source: Source, roles: Roles, others: Callable[[], str]) -> Apart | None:
    """The program with its switched functions taken apart; None when it has none."""
    done = Apart(source.text, {n: n for n in range(1, len(split_lines(source.text)) + 1)})
    for _ in range(_ROUNDS):
        found = Switches(source, roles, others).find()
        if not found:
            break
        outer = [s for s in found if not any(_inside(source, s, o) for o in found)]
        _name(outer, source)
        done = _one_round(source, outer, done)
        source = source_of(done.text)
        roles = roles_of(source, roles.neighbours)
    return done if done.names else None


def _inside(source: Source, switched: Switched, outer: Switched) -> bool:
    """Whether a switched function stands in another one, or is called there: then the other one is taken apart first."""
    if switched is outer:
        return False
    calls = [c for s in switched.specials for c in s.calls]
    return any(outer.function in source.ancestors(n) for n in [switched.function, *calls])


def _name(found: list[Switched], source: Source) -> None:
    """Give each special function a name that the text has no other use for: new code may hold it in other names."""
    taken = set(_WORD.findall(source.text))
    plain = next(pair for pair in _PAIRS if not taken & set(pair) or pair is _PAIRS[-1])
    for switched in found:
        for special in switched.specials:
            kind = plain[0] if special.trains else plain[1]
            said = [f.value for name, f in sorted(special.facts.items()) if name in special.parameters]
            known = [v for v in said if isinstance(v, str) and v.isidentifier() and not iskeyword(v)]
            numbered = (f"{kind}_{n}" for n in itertools.count(2))
            several = itertools.chain(*((value, f"{value}_pass") for value in known), [kind], numbered)
            special.name = next(name for name in several if name not in taken)
            taken.add(special.name)


def _one_round(source: Source, found: list[Switched], done: Apart) -> Apart:
    lines = [line.encode() for line in split_lines(source.text)]
    calls = [(call, special) for s in found for special in s.specials for call in special.calls]
    for call, special in sorted(calls, key=lambda c: (c[0].func.end_lineno or 0, c[0].func.end_col_offset or 0))[::-1]:
        row, end = (call.func.end_lineno or 0) - 1, call.func.end_col_offset or 0
        start = end - len(special.function.name.encode())
        lines[row] = lines[row][:start] + special.name.encode() + lines[row][end:]
    renamed = [line.decode() for line in lines]
    edits, told = [], {}
    for switched in found:
        edit, origins = _edit(source, switched)
        edits.append(edit)
        told[edit] = origins
    text = apply_edits(renamed, edits)
    new_origins: dict[int, int] = {}
    raw, new = 0, 0
    for edit in [*sorted(edits, key=lambda e: e.start), Edit(len(lines), len(lines), "")]:
        while raw < edit.start:
            raw, new = raw + 1, new + 1
            new_origins[new] = done.origins.get(raw, 0)
        for offset, line in told.get(edit, {}).items():
            new_origins[new + 1 + offset] = done.origins.get(line, 0)
        new += len(split_lines(edit.text))
        raw = edit.end
    names = dict(done.names)
    training, whole = set(done.training), set(done.whole)
    for switched in found:
        own = switched.function.name
        first = names.get(own, own)
        names.update({s.name: first for s in switched.specials})
        training |= {s.name for s in switched.specials if s.trains}
        if switched.whole:
            whole.add(own)
    return Apart(text, new_origins, names, training, whole)


def _edit(source: Source, switched: Switched) -> tuple[Edit, dict[int, int]]:
    """The edit that puts the special functions in the place of their function, or behind it when it stays."""
    function = switched.function
    blank = "\n\n" if isinstance(source.parents[function], ast.Module) else "\n"
    start, end = function.lineno - 1, function.end_lineno or function.lineno
    text, origins = "", {}
    for special in switched.specials:
        own, lines = folded(source, special)
        text += blank if text or not switched.whole else ""
        first = text.count("\n")
        origins.update({first + line: raw for line, raw in lines.items()})
        own = own.replace("\r\n", "\n").replace("\r", "\n")
        text += own if own.endswith("\n") else own + "\n"
    return (Edit(start, end, text) if switched.whole else Edit(end, end, text)), origins
