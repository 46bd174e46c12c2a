"""Whether what follows a loop makes its networks and optimizers anew, as notebooks do between two trainings.

for epoch in range(n): ...         # the first training
print(evaluate(model, test_loader))
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(n): ...         # another one, of another network
"""

from __future__ import annotations

import ast

from ..recover.syntax import dotted, walk, walk_scope
from .afterwards import statements_after
from .draft import Draft
from .held_models import held_models
from .mode_afterwards import holders
from .steps import optimizer_names

_KEEPS = {"append", "appendleft", "add", "insert", "extend", "update", "setdefault", "setattr", "put", "register"}


def before_made_anew(draft: Draft) -> list[ast.stmt] | None:
    """The statements of the file between the loop and the place from which on nothing has its networks and optimizers any more, or all
    that follow; None where another training may go on with them.
    """
    waiting = _names_of_training(draft)
    if waiting is None or draft.nest.outermost not in draft.source.tree.body:
        return None
    passed: list[ast.stmt] = []
    for statement in statements_after(draft):
        if any(n in draft.other_loops for n in walk(statement)):
            return None
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value) if not _reads(value, waiting):
                waiting = waiting - {name}
        passed.append(statement)
        if not waiting:
            break
    return passed


def _names_of_training(draft: Draft) -> frozenset[str] | None:
    """The names of the networks and optimizers, where no other name stands for any of them."""
    models = held_models(draft)
    optimizers = optimizer_names(draft)
    if any(not isinstance(m.scope, ast.Module) for m in models) or not optimizers:
        return None
    if not all(isinstance(o, ast.Name) and draft.roles.key(draft.nest.step_frame.scope, o.id) for o in optimizers):
        return None
    names = frozenset(m.name for m in models) | {o.id for o in optimizers if isinstance(o, ast.Name)}
    held = holders(draft, frozenset((m.scope, m.name) for m in models))
    kept = any(n.id in names and _is_kept(draft, n) for n in draft.source.all(ast.Name))
    reads_gradients = any(n.attr == "grad" for n in draft.source.all(ast.Attribute))
    return names if {name for _scope, name in held} <= names and not kept and not reads_gradients else None


def _is_kept(draft: Draft, name: ast.Name) -> bool:
    """Whether something may go on holding what the name stands for: a container, an object, another name."""
    parents = draft.source.parents
    node: ast.AST = name
    while isinstance(parents.get(node), ast.List | ast.Tuple | ast.Dict | ast.Set | ast.IfExp | ast.Starred):
        node = parents[node]
    parent = parents.get(node)
    if isinstance(parent, ast.keyword):
        parent = parents.get(parent)
    if isinstance(parent, ast.Call) and node is not parent.func:
        last = dotted(parent.func).rpartition(".")[2]
        return last in _KEEPS or last[:1].isupper()
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr | ast.Yield | ast.comprehension):
        return isinstance(name.ctx, ast.Load)
    return node is not name


def _reads(value: ast.expr, names: frozenset[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in walk_scope(value))
