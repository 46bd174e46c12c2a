"""``del`` of plain names goes: a hook's locals end with the hook.

    del data, output   →   (nothing)

Source: https://docs.python.org/3/reference/simple_stmts.html#the-del-statement (it unbinds names, it frees nothing by itself).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class DeleteLocals:
    """Claims ``del`` statements that only name variables."""

    name: str = "delete_locals"

    def claim(self, site: Site) -> Claim | None:
        """Claim ``del x`` and ``del x, y``; ``del d[key]`` and ``del o.attribute`` change objects and stay."""
        match site.statement:
            case ast.Delete(targets=targets) if all(isinstance(t, ast.Name) for t in targets):
                return Claim(site.hook, "a hook's locals end with the hook", anywhere=True)
        return None


IDIOM = DeleteLocals()
