"""What torchrun tells every process in its environment: does the script change it?"""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Source

_TOLD = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE")
_WRITES = (
    "os.environ.update",
    "os.environ.setdefault",
    "os.putenv",
    "os.environ.pop",
    "os.environ.clear",
    "os.unsetenv",
)


def changes_numbers(source: Source, roles: Roles) -> bool:
    """Whether the script may itself say which process this is, or of how many."""
    for node in source.all(ast.Subscript):
        if not isinstance(node.ctx, ast.Load) and roles.full_name(node.value) == "os.environ":
            if not isinstance(node.slice, ast.Constant) or node.slice.value in _TOLD:
                return True
    return any(roles.full_name(c.func) in _WRITES for c in source.calls)
