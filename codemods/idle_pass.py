"""``pass`` among other statements goes: it does nothing.

    print(loss)            print(loss)
    pass               →

Source: https://docs.python.org/3/reference/simple_stmts.html#the-pass-statement.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class IdlePass:
    """Claims ``pass`` where it stands in no block of its own, which may need it."""

    name: str = "idle_pass"

    def claim(self, site: Site) -> Claim | None:
        """Claim ``pass``."""
        if isinstance(site.statement, ast.Pass) and site.outermost:
            return Claim(site.hook, "`pass` does nothing")
        return None


IDIOM = IdlePass()
