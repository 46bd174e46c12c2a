"""Names that stand for one plain list."""

from __future__ import annotations

import ast

from .bindings import Names
from .roles import Key


def is_plain_list(key: Key, roles: Names) -> bool:
    """Whether a name is bound once, to a list that is written out or made of something else."""
    bindings = roles.bindings(key)
    if len(bindings) != 1 or bindings[0].index is not None:
        return False
    match bindings[0].statement, bindings[0].value:
        case ast.Assign(targets=[ast.Name()]), ast.ListComp() | ast.List(elts=[_, *_]):
            return True
    return False
