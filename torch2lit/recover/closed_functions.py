"""Functions of other files that can reach nothing but what they are given."""

from __future__ import annotations

import ast
import builtins

from .names import free_names
from .roles import Roles


def runs_no_module(roles: Roles, function: ast.expr) -> bool:
    """Whether a function of a file beside the script has only its arguments to work with, no object of its file."""
    found = roles.neighbours.definition(roles.full_name(function)) if roles.neighbours is not None else None
    tree = roles.neighbours.tree(found.file) if roles.neighbours is not None and found is not None else None
    if found is None or tree is None or not isinstance(found.node, ast.FunctionDef):
        return False
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    defined = {(a.asname or a.name).split(".")[0] for s in tree.body if isinstance(s, ast.Import) for a in s.names}
    defined |= {
        a.asname or a.name for s in tree.body if isinstance(s, ast.ImportFrom) and _is_of_torch(s) for a in s.names
    }
    waiting, seen = [found.node], {found.node.name}
    while waiting:
        for name in sorted(free_names(waiting.pop())):
            if name in functions:
                if name not in seen:
                    seen.add(name)
                    waiting.append(functions[name])
            elif name not in defined and not hasattr(builtins, name):
                return False
    return True


def _is_of_torch(statement: ast.ImportFrom) -> bool:
    return statement.level == 0 and (statement.module or "").partition(".")[0] in ("torch", "typing", "math")
