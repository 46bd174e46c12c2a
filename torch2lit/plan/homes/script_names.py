"""Which variables of the script the module is handed, so that it can be imported without the script.

BATCH_SIZE = 32                         a constant, a function or a class is read where it stands;
logger = logging.getLogger(__name__)   so is a logger of `logging`, which everybody gets by its name;
test_x, test_y = load()                whatever else was made before the loop comes as an argument
"""

from __future__ import annotations

import ast

from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import Draft
from .bound_by_entry import made_by_entry, settled_by_entry
from .set_before import set_before_training
from .unbound import argument_of, bound_before_call, bound_on_the_way

_CHANGES = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove", "reverse", "setdefault",
    "sort", "update",
}  # fmt: skip
"""Methods that change a list, a set or a dictionary."""


def may_be_handed_in(draft: Draft, variable: Variable) -> bool:
    """Whether a variable of the script means the same value while the module lives, and has it when the module is made."""
    key = (variable.scope, variable.name)
    entry = draft.nest.entry.scope
    if made_by_entry(draft, variable) is not None or settled_by_entry(draft, variable):
        return True
    if draft.roles.key(entry, variable.name) != key:
        return False
    if draft.roles.rebound_unseen(key):
        return set_before_training(draft, variable) and variable.name in bound_before_call(draft)
    if is_constant(draft, variable) or _is_named_logger(draft, variable):
        return False
    if isinstance(entry, ast.Module):
        return variable.name in bound_on_the_way(draft) and not argument_of(draft, variable).startswith("globals()")
    return variable.name in bound_before_call(draft)


def is_constant(draft: Draft, variable: Variable) -> bool:
    """Whether the one value of a variable is written out in the script, and nothing changes it."""
    match draft.roles.bindings((variable.scope, variable.name)):
        case [binding] if binding.index is None:
            return _is_written_out(binding.value) and not _is_changed(draft, variable.name)
    return False


def _is_written_out(value: ast.expr) -> bool:
    literals = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.operator, ast.unaryop)
    return all(isinstance(n, (*literals, ast.expr_context)) for n in walk(value))


def _is_changed(draft: Draft, name: str) -> bool:
    """Whether something named so is changed in place anywhere in the file."""
    parents = draft.source.parents
    for node in draft.source.all(ast.Name):
        if node.id != name:
            continue
        match parents.get(node):
            case ast.Attribute(attr=attribute) if attribute in _CHANGES:
                return True
            case ast.Subscript(ctx=ast.Store() | ast.Del(), value=value) if value is node:
                return True
            case ast.AugAssign(target=target) if target is node:
                return True
    return False


def _is_named_logger(draft: Draft, variable: Variable) -> bool:
    """Whether `logging` has the object under a name."""
    bindings = draft.roles.bindings((variable.scope, variable.name))
    return bool(bindings) and all(
        isinstance(b.value, ast.Call) and draft.roles.full_name(b.value.func) == "logging.getLogger" for b in bindings
    )
