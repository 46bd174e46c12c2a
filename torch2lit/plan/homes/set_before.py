"""A variable of the script that functions set before the training starts, and that none of them sets while it runs.

n_classes = 0                               lit_net = LitNet(model, n_classes)
def load():                                 trainer.fit(lit_net, loader)
    global n_classes                 →
    n_classes = labels.max() + 1
def run(): ...                              called behind `load()`
"""

from __future__ import annotations

import ast

from ...recover.variables import Variable
from ..draft import Draft
from ..may_run import may_run, runs_in_loop


def set_before_training(draft: Draft, variable: Variable) -> bool:
    """Whether all functions that declare it ``global`` are plainly called, and not by the loop: then it keeps its value there."""
    entry, name, source = draft.nest.entry.scope, variable.name, draft.source
    if isinstance(entry, ast.Module) or not variable.is_global or draft.roles.runs_text:
        return False
    declaring = {source.scope_of(d) for d in source.all(ast.Global) if name in d.names}
    if not declaring or entry in declaring or source.tree in declaring or name in draft.wanted_elsewhere:
        return False
    if any(node in declaring for node in runs_in_loop(draft)):
        return False
    setting = [f for f in source.functions if any(node in declaring for node in may_run(source, [f]))]
    return all(_is_only_called(draft, function) for function in setting)


def _is_only_called(draft: Draft, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function runs where its name is called, and at no other time: nobody keeps it for later."""
    source = draft.source
    if not isinstance(source.parents[function], ast.Module) or not isinstance(function, ast.FunctionDef):
        return False
    if function.decorator_list:
        return False
    calls = source.calls_to(function.name)
    if any(isinstance(a, ast.Lambda) for call in calls for a in source.ancestors(call)):
        return False
    called = {id(call.func) for call in calls}
    return all(id(n) in called for n in source.all(ast.Name) if n.id == function.name)
