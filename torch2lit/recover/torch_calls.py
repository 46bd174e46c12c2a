"""Does a call fit the method of torch's that has its name? ``board.eval(size)`` is no ``Module.eval()``, whatever ``board`` is."""

from __future__ import annotations

import ast

_POSITIONAL = {
    "train": 1,
    "eval": 0,
    "zero_grad": 1,
    "parameters": 1,
    "named_parameters": 3,
    "state_dict": 3,
    "step": 1,
}
_KEYWORDS = {
    "train": {"mode"},
    "eval": set(),
    "zero_grad": {"set_to_none"},
    "parameters": {"recurse"},
    "named_parameters": {"prefix", "recurse", "remove_duplicate"},
    "state_dict": {"destination", "prefix", "keep_vars"},
}


def fits_torch(call: ast.Call) -> bool:
    """Whether a method of this name on a module or an optimizer takes these arguments; True for names that torch has not."""
    if not isinstance(call.func, ast.Attribute):
        return True
    name = call.func.attr
    if len(call.args) > _POSITIONAL.get(name, len(call.args)):
        return False
    allowed = _KEYWORDS.get(name)
    return allowed is None or all(k.arg is None or k.arg in allowed for k in call.keywords)


def mode_of(call: ast.Call) -> bool | None:
    """What mode ``train(...)`` or ``eval()`` surely switches a module to; None when the call says something else."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("train", "eval") or not fits_torch(call):
        return None
    if call.func.attr == "eval":
        return None if call.keywords else False
    given = [*call.args, *(k.value for k in call.keywords)]
    match given:
        case []:
            return True
        case [ast.Constant(value=bool() as mode)]:
            return mode
    return None
