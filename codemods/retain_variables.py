"""``retain_variables`` of a backward pass is ``retain_graph`` now.

    loss.backward(retain_variables=True)   →   loss.backward(retain_graph=True)

Source: https://github.com/pytorch/pytorch/releases/tag/v0.2.0 (retain_variables renamed to retain_graph).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script

_OLD = "retain_variables"


@dataclass(frozen=True, slots=True)
class RetainVariables:
    """Renames the argument of ``backward``."""

    name: str = "retain_variables"
    words: tuple[str, ...] = (_OLD,)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """The keyword of every ``x.backward(...)``."""
        functions = {f.name for f in script.all(ast.FunctionDef)}
        for call in script.all(ast.Call):
            if not isinstance(call.func, ast.Attribute) or call.func.attr != "backward" or "backward" in functions:
                continue
            for keyword in call.keywords:
                if keyword.arg == _OLD:
                    start = (keyword.lineno, keyword.col_offset)
                    piece = Piece(start, (start[0], start[1] + len(_OLD)), "retain_graph")
                    meaning = "`retain_variables` is the old name of `retain_graph`, which `backward()` no longer takes"
                    yield Modernisation(start[0], start[0], (piece,), meaning)


MODERNIZER = RetainVariables()
