"""Values that a function which the loop only calls binds anew: the module would go on holding what they were when it was made.

def warm_up(epoch):
    global optimizer
    optimizer = ...
"""

from __future__ import annotations

import ast

from ..recover.roles import Key
from ..recover.state_names import is_attribute
from ..recover.syntax import walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft
from .may_run import runs_in_loop
from .state import State


def check_bound_elsewhere(draft: Draft, state: State, optimizers: list[Variable]) -> None:
    """Refuse a plan whose module or Trainer holds a value that such a function replaces."""
    bound = _bound_by_calls(draft)
    if not bound:
        return
    held = {v for v, home in state.homes.items() if home.startswith("self.")} | set(optimizers)
    keys = {(v.scope, v.name) for v in held}
    texts = [argument for _parameter, _attribute, argument in state.parameters]
    texts += draft.train_data.texts if draft.train_data is not None else ()
    for text in texts:
        names = {n.id for n in walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
        keys |= {key for name in names if (key := draft.roles.key(draft.nest.entry.scope, name)) is not None}
    for one in draft.validation.all if draft.validation is not None else []:
        loader = draft.variable(one.loop.base, one.frame)
        keys |= {(loader.scope, loader.name)} if loader is not None else set()
    for key, function in bound.items():
        if key in keys:
            message = f"`{function.name}` gives `{key[1]}` another value while the loop runs"
            raise draft.refuse("function-not-inlined", function, message)


def _bound_by_calls(draft: Draft) -> dict[Key, ast.FunctionDef | ast.AsyncFunctionDef]:
    """What functions that may run in the loop, and are not taken apart themselves, bind outside of themselves."""
    inlined = {id(frame.scope) for frame in draft.nest.entered}
    if draft.validation is not None:
        inlined |= {id(frame.scope) for frame in draft.validation.frames}
    found: dict[Key, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for node in runs_in_loop(draft):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or id(node) in inlined:
            continue
        inside = list(walk_scope(node.body))
        declared = {n for d in inside if isinstance(d, ast.Global | ast.Nonlocal) for n in d.names}
        stored = {n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store | ast.Del)}
        for name in sorted(declared & stored):
            key = draft.roles.key(node, name)
            if key is not None and not is_attribute(name):
                found.setdefault(key, node)
    return found
