"""``volatile=True`` switched the graph off for all that came of the tensor; now it does nothing but warn.

    Variable(x, volatile=True)   (stays, and is reported)

The numbers are the same, so nothing is rewritten; but the graph is built where it was not. In Lightning's validation there
is none anyhow: the report is left out there by its place in the ledger.
Source: https://pytorch.org/blog/pytorch-0_4_0-migration-guide/ (deprecation of the volatile flag).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Script, left


@dataclass(frozen=True, slots=True)
class Volatile:
    """Reports tensors that should have no graph."""

    name: str = "volatile"
    words: tuple[str, ...] = ("volatile",)

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Every ``Variable(..., volatile=...)`` and ``x.volatile = True``."""
        for call in script.all(ast.Call):
            if script.full_name(call.func) in _VARIABLES:
                if any(k.arg == "volatile" and not _is_false(k.value) for k in call.keywords):
                    yield left(call, _MEANING, _WITHOUT_GRAPH)
        for assignment in script.all(ast.Assign):
            match assignment.targets:
                case [ast.Attribute(attr="volatile", value=ast.Name() as name)] if not _is_false(assignment.value):
                    if _is_variable(name, script):
                        yield left(assignment, _MEANING, _WITHOUT_GRAPH)


_VARIABLES = ("torch.autograd.Variable", "torch.autograd.variable.Variable")
_WITHOUT_GRAPH = ("validation_step",)
_MEANING = (
    "`volatile` meant that nothing computed from the tensor has a graph; since PyTorch 0.4 it does nothing: the numbers are the same, "
    "but memory is spent on the graph; put the computation under `with torch.no_grad():`"
)


def _is_variable(name: ast.Name, script: Script) -> bool:
    values = [v for v in script.values(name) or () if isinstance(v, ast.Call)]
    return any(script.full_name(v.func) in _VARIABLES for v in values)


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


MODERNIZER = Volatile()
