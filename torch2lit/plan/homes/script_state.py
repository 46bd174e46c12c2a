"""A variable of the script that only its training changes lives on the module, as a local of the training function would.

best = 0                                lit_net = LitNet(model, best)
def main():                      →      trainer.fit(lit_net, loader)
    global best                         # and `best = lit_net.best`, if anything reads it behind the training
    for epoch in range(9):
        best = max(best, test(model))
"""

from __future__ import annotations

import ast
import itertools

from ...recover.syntax import Source
from ...recover.variables import Variable
from ..draft import Draft
from ..handlers import read_in_handlers, written_in_handlers
from ..moved import moved_functions
from .bound_by_entry import binds_before_loop
from .unbound import bound_before_call

_DEPTH = 3


def only_training_changes(draft: Draft, variable: Variable) -> bool:
    """Whether a variable of the script has a value before its function is called, which nobody but the loop's function asks for."""
    entry, name = draft.nest.entry.scope, variable.name
    if not isinstance(entry, ast.FunctionDef) or not isinstance(variable.scope, ast.Module):
        return False
    if draft.source.view is not None or draft.roles.runs_text or name in draft.wanted_elsewhere:
        return False
    if name not in bound_before_call(draft) and not binds_before_loop(draft, variable):
        return False
    if name in read_in_handlers(draft) | written_in_handlers(draft):
        return False
    known = [draft.source.tree, entry, *moved_functions(draft)]
    return all(draft.source.scope_of(node) in known for node in draft.roles.mentions((variable.scope, variable.name)))


def is_asked_for_behind(draft: Draft, variable: Variable) -> bool:
    """Whether something may read the variable when its training is over: then the script gets the value back."""
    entry, outermost = draft.nest.entry.scope, draft.nest.outermost
    assert isinstance(entry, ast.FunctionDef)
    if any(isinstance(a, ast.For | ast.While) for a in _around(draft.source, outermost, entry)):
        return True
    for node in draft.roles.mentions((variable.scope, variable.name)):
        scope = draft.source.scope_of(node)
        behind = scope is entry and node.lineno > (outermost.end_lineno or outermost.lineno)
        if isinstance(node.ctx, ast.Load) and (scope is draft.source.tree or behind):
            return True
    return not _runs_once(draft.source, entry, _DEPTH)


def declares(draft: Draft, variable: Variable) -> bool:
    """Whether the loop's own function may bind the variable of the script."""
    body = draft.nest.entry.scope.body
    return any(isinstance(s, ast.Global) and variable.name in s.names for s in body)


def _runs_once(source: Source, function: ast.FunctionDef, depth: int) -> bool:
    """Whether a function is surely called at most once while the script runs: nothing but one call, or one of several ways, mentions it."""
    mentions = [n for n in source.all(ast.Name) if n.id == function.name]
    if not depth or not mentions or source.in_class(function) or function.decorator_list:
        return False
    if any(isinstance(n, ast.Attribute) and n.attr == function.name for n in source.all(ast.Attribute)):
        return False
    for place, one in enumerate(mentions):
        around = list(_around(source, one, source.tree))
        if any(isinstance(a, ast.For | ast.While | ast.Lambda | ast.comprehension) for a in around):
            return False
        if not all(_on_other_ways(source, one, other) for other in mentions[:place]):
            return False
        owner = source.scope_of(one)
        if isinstance(owner, ast.AsyncFunctionDef) or (
            isinstance(owner, ast.FunctionDef) and not _runs_once(source, owner, depth - 1)
        ):
            return False
    return True


def _on_other_ways(source: Source, one: ast.AST, other: ast.AST) -> bool:
    """Whether two places stand in two arms of one `if`."""
    above = {id(a): below for below, a in _steps_up(source, other)}
    for below, ancestor in _steps_up(source, one):
        if id(ancestor) in above:
            if not isinstance(ancestor, ast.If):
                return False
            arms = [
                arm for arm in (ancestor.body, ancestor.orelse) for node in (below, above[id(ancestor)]) if node in arm
            ]
            return len(arms) == 2 and arms[0] is not arms[1]
    return False


def _steps_up(source: Source, node: ast.AST) -> list[tuple[ast.AST, ast.AST]]:
    chain = [node, *source.ancestors(node)]
    return list(itertools.pairwise(chain))


def _around(source: Source, node: ast.AST, scope: ast.AST) -> list[ast.AST]:
    found = []
    for ancestor in source.ancestors(node):
        if ancestor is scope:
            break
        found.append(ancestor)
    return found
