"""Which average does a script keep beside its model, by an object of torch's or in a copy?"""

from __future__ import annotations

import ast

from ..recover.nest import Nest
from ..recover.roles import Roles
from .found import Average, Search
from .of_copy import OfCopy
from .of_shadow import OfShadow

_CLASS = "torch.optim.swa_utils.AveragedModel"
_COPY = "copy.deepcopy"


def find_average(nest: Nest, roles: Roles) -> Average | None:
    """The average of one training; None where there is none. Raises Stays."""
    made = {name: [n for n in roles.source.all(ast.Assign) if _calls(n.value, name, roles)] for name in (_CLASS, _COPY)}
    if len(made[_CLASS]) == 1:
        return Search(nest, roles, made[_CLASS][0]).found()
    shadows = [
        o
        for n in roles.source.all(ast.Assign)
        if isinstance(n.value, ast.Call)
        if (o := OfShadow(nest, roles, n)).shadow
    ]
    if len(shadows) == 1 and not made[_CLASS]:
        return shadows[0].found()
    copies = [s for n in made[_COPY] if (s := OfCopy(nest, roles, n)).formula is not None] if not made[_CLASS] else []
    return copies[0].found() if len(copies) == 1 else None


def _calls(value: ast.expr, name: str, roles: Roles) -> bool:
    return isinstance(value, ast.Call) and roles.full_name(value.func) == name
