"""`while` loops that count to a number, as the `for` loops that they are.

epoch = 0                                   epoch = 0
while epoch < 50:                           for epoch in range(1, 51):
    epoch += 1                       →          ...
    ...
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..files.lines import dominant_newline, split_lines
from ..recover.lines_in_strings import lines_in_strings
from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import Scope, Source, blocks, walk


@dataclass(frozen=True, slots=True)
class Counted:
    """One such loop, the statements that nobody needs then (the one that counts, the first number), and the range as it is written."""

    loop: ast.While
    name: str
    gone: tuple[ast.stmt, ...]
    numbers: str


def find_counted(nests: list[Nest], roles: Roles) -> list[Counted]:
    """The `while` loops of the training that are such."""
    loops = (one.node for nest in nests for one in (nest.epochs, nest.batches) if one is not None)
    found = (_counted(loop, roles) for loop in dict.fromkeys(loops) if isinstance(loop, ast.While))
    return [one for one in found if one is not None]


def _counted(loop: ast.While, roles: Roles) -> Counted | None:
    source = roles.source
    match loop.test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Lt() | ast.LtE() as operator], comparators=[limit]):
            pass
        case _:
            return None
    scope = source.scope_of(loop)
    if loop.orelse or loop.lineno != loop.test.end_lineno or loop.body[0].lineno == loop.lineno or len(loop.body) < 2:
        return None
    first, last = _counts(loop.body[0], name), _counts(loop.body[-1], name)
    counts = first or last
    start = _start(loop, name, roles)
    if counts is None or start is None or not _alone(start, source) or not _alone(counts, source):
        return None
    number = _number(limit, roles, scope)
    if not _bound_nowhere_else(name, scope, roles, counts):
        return None
    read = _is_read_outside(loop, name, scope, roles)
    if first is None and (read or _goes_on(loop.body)):
        return None
    ahead, more = first is not None, isinstance(operator, ast.LtE)
    end = _plus(limit, ahead + more)
    assert isinstance(start.value, ast.Constant) and isinstance(start.value.value, int)
    if number is None or number + more <= start.value.value:
        return None  # it may not turn at all
    begin = start.value.value + ahead
    gone = (counts,) if _is_read_before(loop, name, scope, roles) else (start, counts)
    return Counted(loop, name, gone, f"range({begin}, {end})" if begin else f"range({end})")


def _plus(limit: ast.expr, more: int) -> str:
    if isinstance(limit, ast.Constant) and isinstance(limit.value, int):
        return str(limit.value + more)
    return f"{ast.unparse(limit)} + {more}" if more else ast.unparse(limit)


def _counts(statement: ast.stmt, name: str) -> ast.AugAssign | None:
    match statement:
        case ast.AugAssign(target=ast.Name(id=counted), op=ast.Add(), value=ast.Constant(value=1)) if counted == name:
            return statement
    return None


def _start(loop: ast.While, name: str, roles: Roles) -> ast.Assign | None:
    """The statement of the same block that surely gives the name a whole number before the loop."""
    block = next((b for b in blocks(roles.source.parents[loop]) if loop in b), [])
    for statement in reversed(block[: block.index(loop)] if block else []):
        match statement:
            case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Constant(value=int() as value)) if bound == name:
                return None if isinstance(value, bool) else statement
    return None


def _number(limit: ast.expr, roles: Roles, scope: Scope) -> int | None:
    """The one whole number that it is as long as the program runs."""
    match limit:
        case ast.Constant(value=int() as value):
            return None if isinstance(value, bool) else value
        case ast.Name(id=name):
            key = roles.key(scope, name)
            bindings = roles.bindings(key) if key is not None else []
            if key is None or roles.rebound_unseen(key) or len(bindings) != 1 or _stored(key, roles) != 1:
                return None
            return _number(bindings[0].value, roles, scope) if bindings[0].index is None else None
    return None


def _stored(key: tuple[Scope, str] | None, roles: Roles) -> int:
    return sum(not isinstance(n.ctx, ast.Load) for n in roles.mentions(key)) if key is not None else 0


def _bound_nowhere_else(name: str, scope: Scope, roles: Roles, counts: ast.AugAssign) -> bool:
    key = roles.key(scope, name)
    return key == (scope, name) and not roles.rebound_unseen((scope, name)) and _stored(key, roles) == 2


def _alone(statement: ast.stmt, source: Source) -> bool:
    line = source.lines[statement.lineno - 1]
    return statement.end_lineno == statement.lineno and not {";", "#"} & {*line}


def _goes_on(body: list[ast.stmt]) -> bool:
    """Whether a `continue` of this loop passes over its end."""
    for statement in body:
        if isinstance(statement, ast.Continue):
            return True
        if isinstance(statement, ast.For | ast.While):
            if _goes_on(statement.orelse):
                return True
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and any(
            _goes_on(b) for b in blocks(statement)
        ):
            return True
    return False


def _is_read_outside(loop: ast.While, name: str, scope: Scope, roles: Roles) -> bool:
    """Whether anything but the loop reads the name: behind it the number would be another one."""
    inside = {id(n) for s in loop.body for n in walk(s)} | {id(n) for n in walk(loop.test)}
    return any(
        n.id == name
        and isinstance(n.ctx, ast.Load)
        and id(n) not in inside
        and roles.key(roles.source.scope_of(n), name) == (scope, name)
        for n in roles.source.all(ast.Name)
    )


def _is_read_before(loop: ast.While, name: str, scope: Scope, roles: Roles) -> bool:
    """Whether the first number may be read before the first turn."""
    reads = [
        n
        for n in roles.source.all(ast.Name)
        if n.id == name and isinstance(n.ctx, ast.Load) and n.lineno != loop.lineno
    ]
    return any(
        roles.source.scope_of(n) is not scope or n.lineno < loop.lineno
        for n in reads
        if roles.key(roles.source.scope_of(n), name) == (scope, name)
    )


def counted_text(source: Source, found: list[Counted]) -> tuple[str, dict[int, int]] | None:
    """The program with those loops; for each of its lines the raw one. None when a line of theirs is part of a string."""
    lines = split_lines(source.text)
    strings = lines_in_strings(source.text)
    newline = dominant_newline(source.text)
    gone = {statement.lineno for one in found for statement in one.gone}
    if strings & (gone | {one.loop.lineno for one in found}):
        return None
    for one in found:
        line = lines[one.loop.lineno - 1].encode()
        before = line[: one.loop.col_offset].decode()
        rest = line[one.loop.test.end_col_offset :].decode().rstrip("\r\n").lstrip(" )")
        lines[one.loop.lineno - 1] = f"{before}for {one.name} in {one.numbers}{rest}{newline}"
    kept = [(text, number) for number, text in enumerate(lines, start=1) if number not in gone]
    origins = {place: number for place, (_text, number) in enumerate(kept, start=1)}
    return "".join(text for text, _number in kept), origins
