"""Functions that read by its name what the loop of the script sets get it as an argument: then it is the loop's alone.

def save_sample(samples):                           def save_sample(batches_done, samples):
    save(samples, "%d.png" % batches_done)              save(samples, "%d.png" % batches_done)
for i, batch in enumerate(loader):             →    for i, batch in enumerate(loader):
    batches_done = i + 1                                batches_done = i + 1
    save_sample(samples)                                save_sample(batches_done, samples)
"""

from __future__ import annotations

import ast
from collections.abc import Container

from ..recover.names import flow, free_names
from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import walk
from .given import only_called
from .readers import Reader

_LATER = (ast.Lambda, ast.GeneratorExp, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def find_set_readers(nests: list[Nest], roles: Roles, wanted: Container[str]) -> list[Reader]:
    """The functions that loops of the script call, and that read what the loop has just set."""
    source = roles.source
    loops = [nest.outermost for nest in nests if nest.entry.scope is source.tree]
    entered = {frame.scope for nest in nests for frame in (nest.entry, *nest.entered)}
    found: list[Reader] = []
    for function in source.functions if loops and not roles.runs_text else ():
        if function in entered or not isinstance(function, ast.FunctionDef) or function.name in wanted:
            continue
        if any(isinstance(n, _LATER) for s in function.body for n in walk(s)) or not only_called(roles, function):
            continue
        calls = tuple(source.calls_to(function.name))
        inside = [any(loop in source.ancestors(call) for loop in loops) for call in calls]
        if not all(inside) or any(source.scope_of(call) is not source.tree for call in calls):
            continue
        names = tuple(n for n in sorted(free_names(function)) if _is_set(roles, n, loops, calls) and n not in wanted)
        if names:
            found.append(Reader(function, names, calls))
    return found


def _is_set(roles: Roles, name: str, loops: list[ast.For | ast.While], calls: tuple[ast.Call, ...]) -> bool:
    """Whether a variable of the script gets a value before each call, in the loop, and no function gives it another one."""
    key = (roles.source.tree, name)
    if roles.key(roles.source.tree, name) != key or not roles.bindings(key) or roles.rebound_unseen(key):
        return False
    around = [(call, loop) for call in calls for loop in loops if loop in roles.source.ancestors(call)]
    return all(_is_bound_before(roles, name, call, loop) for call, loop in around)


def _is_bound_before(roles: Roles, name: str, call: ast.Call, loop: ast.For | ast.While) -> bool:
    """Whether a statement of the loop, on the way to the call, surely binds a name."""
    node: ast.stmt = roles.source.statement_of(call)
    while node is not loop:
        block = roles.source.block_of(node)
        if any(name in flow([s]).definite for s in block[: block.index(node)]):
            return True
        above = roles.source.parents[node]
        if not isinstance(above, ast.If | ast.With | ast.For | ast.While):
            return False
        node = above
    return False
