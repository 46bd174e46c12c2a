"""Loaders that draw no random numbers and change nothing, however often and whenever they are asked."""

from __future__ import annotations

import ast

from ..recover.loops import DATA_LOADERS
from ..recover.makings import Making
from ..recover.plain_lists import filled_before, is_plain_list

_KNOWN = {"batch_size", "generator"}


def is_still(loader: Making) -> bool:
    """Whether it is torch's own over a plain list, in its order, with a random generator that is nobody else's."""
    call = loader.call
    if loader.full_name not in DATA_LOADERS or len(call.args) != 1 or not _is_list(call.args[0], loader):
        return False
    given = {k.arg: k.value for k in call.keywords}
    if _hands_on(given.get("collate_fn")):
        del given["collate_fn"]
    match given.get("batch_size"), given.get("generator"):
        case ast.Constant(value=None), ast.Call(func=function, args=[], keywords=[]):
            return {*given} == _KNOWN and loader.roles.full_name(function) == "torch.Generator"
    return False


def _is_list(data: ast.expr, loader: Making) -> bool:
    """Whether the data are a list that is written there, or the name of a plain one."""
    if not isinstance(data, ast.Name):
        return isinstance(data, ast.List)
    key = loader.roles.key(loader.scope, data.id)
    if key is None:
        return False
    if is_plain_list(key, loader.roles):
        return True
    source = loader.roles.source
    written = loader.call in source.parents  # a call that stands for several others is in no text
    return written and filled_before(key, loader.roles, source.statement_of(loader.call)) is not None


def _hands_on(function: ast.expr | None) -> bool:
    """Whether a function gives what it gets: ``lambda batch: batch``."""
    match function:
        case ast.Lambda(args=ast.arguments(args=[ast.arg(arg=given)]), body=ast.Name(id=name)):
            return given == name
    return False
