"""The names of objects that code may change in place, by whatever method or function it hands them to."""

from __future__ import annotations

import ast

from ..recover.items import Item, parts
from ..recover.names import free_names
from ..recover.syntax import dotted, root_name
from .draft import Draft
from .looks import Looks
from .may_run import may_run

_ONLY_SHOW = {"print", "pprint", "info", "debug", "warning", "write", "super", "set", "map", "iter", "next", "reversed"}
_NEW_TENSORS = {
    "to", "cuda", "double", "half", "bool", "squeeze", "unsqueeze", "reshape", "flatten", "permute", "transpose", "t", "eq", "ne", "ge", "gt",
    "le", "lt", "topk", "argmin", "argsort", "sort", "expand", "expand_as", "view_as", "type_as", "softmax", "log_softmax", "sigmoid", "exp",
    "log", "abs", "pow", "clone", "contiguous", "gather", "any", "all", "nonzero", "chunk", "square", "astype", "is_nonzero", "size",
}  # fmt: skip
"""Methods that leave the tensor and their arguments as they are."""
_TAKE = {"append", "extend", "insert", "add", "update", "extendleft", "appendleft"}
"""Methods that change what they belong to, and leave alone what they are given."""


def changed_names(draft: Draft, items: list[Item]) -> set[str]:
    """The names of objects that the items may change, in functions that they call, too."""
    looks = Looks(draft)
    found: set[str] = set()
    for node in may_run(draft.source, [part for item in items for part, _frame in parts(item)]):
        match node:
            case ast.Subscript(ctx=ast.Store() | ast.Del()) | ast.Attribute(ctx=ast.Store() | ast.Del()):
                found.add(root_name(node))
            case ast.Call(func=function, args=arguments, keywords=keywords):
                last = dotted(function).rpartition(".")[2] or getattr(function, "attr", "")
                if last in _ONLY_SHOW | _NEW_TENSORS or looks.call(node):
                    continue
                found.add(root_name(function))
                if last not in _TAKE:
                    given = [*arguments, *(k.value for k in keywords)]
                    found |= {root_name(a.value if isinstance(a, ast.Starred) else a) for a in given}
    return found - {"", *draft.roles.origins}


def bound_elsewhere(draft: Draft, items: list[Item]) -> set[str]:
    """The names that functions which the items call may give another value outside of themselves."""
    code = [part for item in items for part, _frame in parts(item)]
    declared = (n for n in may_run(draft.source, code) if isinstance(n, ast.Global | ast.Nonlocal))
    return {name for one in declared for name in one.names}


def reached_names(draft: Draft, items: list[Item]) -> set[str]:
    """The names that the items read, and those that functions which they call read from outside."""
    code = [part for item in items for part, _frame in parts(item)]
    found = {n.id for part in code for n in ast.walk(part) if isinstance(n, ast.Name)}
    for node in may_run(draft.source, code):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            found |= free_names(node)
    return found
