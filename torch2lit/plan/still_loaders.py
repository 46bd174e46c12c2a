"""Loaders that draw no random numbers and change nothing, however often and whenever they are asked."""

from __future__ import annotations

import ast

from ..recover.loops import DATA_LOADERS
from ..recover.makings import Making

_KNOWN = {"batch_size", "generator"}


def is_still(loader: Making) -> bool:
    """Whether it is torch's own over a list that is written there, in its order, with a random generator that is nobody else's."""
    call = loader.call
    if loader.full_name not in DATA_LOADERS or len(call.args) != 1 or not isinstance(call.args[0], ast.List):
        return False
    given = {k.arg: k.value for k in call.keywords}
    match given.get("batch_size"), given.get("generator"):
        case ast.Constant(value=None), ast.Call(func=function, args=[], keywords=[]):
            return {*given} == _KNOWN and loader.roles.full_name(function) == "torch.Generator"
    return False
