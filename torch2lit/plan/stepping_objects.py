"""Objects of the project's own that step the optimizer which they are made of: the module makes both.

optimizer = ScheduledOptim(Adam(model.parameters()), d_model=512, warmup=4000)
for x, y in loader:
    optimizer.zero_grad()
    ...
    optimizer.step_and_update_lr()
"""

from __future__ import annotations

import ast

from ..recover.keeping_objects import kept_as, only_keeps
from ..recover.names import parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.variables import Variable
from .draft import Draft
from .making import makers
from .model_holders import constructor


def stepping_objects(draft: Draft) -> dict[Variable, str]:
    """The objects whose methods step, each with what it calls its optimizer; none where one of them is anything else."""
    found: dict[Variable, str] = {}
    for step in draft.nest.steps:
        if not isinstance(step.func, ast.Attribute):
            return {}
        variable = draft.variable(step.func.value, draft.nest.step_frame)
        inner = _name_inside(draft, variable) if variable is not None else ""
        if variable is None or not inner:
            return {}
        found[variable] = inner
    return found


def _name_inside(draft: Draft, variable: Variable) -> str:
    match makers(draft, variable):
        case [ast.Assign(targets=[ast.Name()], value=ast.Call() as made)]:
            return optimizer_inside(draft.roles, made)
    return ""


def optimizer_inside(roles: Roles, made: ast.Call) -> str:
    """What an object calls the optimizer of torch's that is made for it in the call, when it keeps that, and numbers; "" otherwise."""
    own = roles.own_class_named(roles.full_name(made.func))
    if own is None or not only_keeps(own[1], own[0]):
        return ""
    given = [*made.args, *(k.value for k in made.keywords)]
    inner = [a for a in given if isinstance(a, ast.Call) and roles.full_name(a.func).startswith("torch.optim.")]
    init = constructor(own[0])
    if len(inner) != 1 or init is None:
        return ""
    named = (p for p in parameter_names(init) if bound_argument(init, made, p) is inner[0])
    return next((kept for p in named if (kept := kept_as(own[0], p))), "")
