"""Functions behind the training that evaluate by the Trainer: their callers hand them the Trainer and the module."""

from __future__ import annotations

import ast

from ..plan.draft import Draft
from ..program import Edit
from ..recover.syntax import Source
from .module import Names


def handed_on(draft: Draft, names: Names) -> list[Edit]:
    """The edits of such functions' heads and calls: both get two arguments more, in front of all others."""
    given = f"{names.trainer}, {names.instance}"
    calls = dict.fromkeys(second.place.inner for second in draft.seconds if second.place.inner is not None)
    places: list[tuple[int, int, bool]] = []
    for call in calls:
        function = draft.source.function(call.func.id) if isinstance(call.func, ast.Name) else None
        assert isinstance(function, ast.FunctionDef)
        places += [_head_of(draft.source, function), _first_of(draft.source, call)]
    return _inserted(draft.source, places, given)


def _head_of(source: Source, function: ast.FunctionDef) -> tuple[int, int, bool]:
    """Where the parameters of a function begin, as line and column in bytes, and whether there are any."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    every += [a for a in (function.args.vararg, function.args.kwarg) if a is not None]
    line = source.lines[function.lineno - 1].encode()
    return function.lineno, line.index(b"(", function.col_offset) + 1, bool(every)


def _first_of(source: Source, call: ast.Call) -> tuple[int, int, bool]:
    """The same of the arguments of a call."""
    number = call.func.end_lineno or call.lineno
    line = source.lines[number - 1].encode()
    return number, line.index(b"(", call.func.end_col_offset or 0) + 1, bool(call.args or call.keywords)


def _inserted(source: Source, places: list[tuple[int, int, bool]], text: str) -> list[Edit]:
    """The edits that put a text at the places, one for each line."""
    result: list[Edit] = []
    for number in sorted({line for line, _column, _more in places}):
        line = source.lines[number - 1].encode()
        for _line, column, more in sorted((p for p in places if p[0] == number), reverse=True):
            before, rest = line[:column], line[column:]
            ends = not rest.strip()
            line = before + text.encode() + (b"" if not more else b"," if ends else b", ") + rest
        result.append(Edit(number - 1, number, line.decode().rstrip("\r\n") + "\n"))
    return result
