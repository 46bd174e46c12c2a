"""Functions that read an optimizer of the script by its name get it as an argument: then the loop is all that knows it.

def adjust(epoch):                                  def adjust(optimizer, epoch):
    for group in optimizer.param_groups: ...            for group in optimizer.param_groups: ...
...                                             →   ...
adjust(epoch)                                       adjust(optimizer, epoch)
"""

from __future__ import annotations

import ast
from collections.abc import Container
from dataclasses import dataclass

from ..recover.names import flow, free_names
from ..recover.nest import Frame, Nest
from ..recover.roles import Role, Roles
from ..recover.syntax import Source
from .given import only_called


@dataclass(frozen=True, slots=True)
class Reader:
    """A function, what it reads, and the calls of it."""

    function: ast.FunctionDef
    names: tuple[str, ...]
    calls: tuple[ast.Call, ...]


def find_readers(nests: list[Nest], roles: Roles, wanted: Container[str]) -> list[Reader]:
    """The functions that a loop only calls and that may as well be given the optimizers that they read."""
    source = roles.source
    entered = {frame.scope for nest in nests for frame in (nest.entry, *nest.entered)}
    knowing = {frame.scope for nest in nests for frame in _knowing(nest)}
    bound = flow(source.tree.body).definite
    found: list[Reader] = []
    for function in source.functions:
        if function in knowing or not isinstance(function, ast.FunctionDef):
            continue
        names = tuple(name for name in sorted(free_names(function)) if _is_optimizer(roles, function, name))
        if not names or not only_called(roles, function) or not bound.issuperset(names):
            continue
        calls = tuple(source.calls_to(function.name))
        scopes = {source.scope_of(call) for call in calls}
        if not scopes <= entered or any(roles.key(s, n) != (source.tree, n) for s in scopes for n in names):
            continue
        if any(name in wanted for name in (function.name, *names)):  # the one question that other files answer
            continue
        found.append(Reader(function, names, calls))
    return found


def _knowing(nest: Nest) -> list[Frame]:
    """The functions that know the optimizers of a loop as it does: all that it enters, where it stands at the top of the script."""
    return [nest.entry, *(nest.entered if isinstance(nest.entry.scope, ast.Module) else [])]


def handed_over(source: Source, readers: list[Reader]) -> str:
    """The text in which each of them gets what it reads as its first arguments."""
    raw = source.text.encode()
    starts = [0]
    for line in source.text.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    places: dict[int, str] = {}
    for one in readers:
        given = ", ".join(one.names)
        function = one.function
        head = raw.index(b"(", starts[function.lineno - 1] + function.col_offset)
        has_parameters = bool(function.args.args or function.args.kwonlyargs)
        places[head + 1] = f"{given}, " if has_parameters else given
        for call in one.calls:
            end = starts[(call.func.end_lineno or 1) - 1] + (call.func.end_col_offset or 0)
            places[raw.index(b"(", end) + 1] = f"{given}, " if call.args or call.keywords else given
    for place in sorted(places, reverse=True):
        raw = raw[:place] + places[place].encode() + raw[place:]
    return raw.decode()


def _is_optimizer(roles: Roles, function: ast.FunctionDef, name: str) -> bool:
    key = roles.key(function, name)
    if key != (roles.source.tree, name) or roles.rebound_unseen(key):
        return False
    return roles.role_of(key) in (Role.OPTIMIZER, Role.SCHEDULER)
