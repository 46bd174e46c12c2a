"""Optimizers in a list that the loop runs through: `configure_optimizers` makes them, and the list.

optimizers = [Adam(net.parameters(), lr=lr) for net in nets]
for x, y in loader:
    for net, optimizer in zip(nets, optimizers): ...
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.items import names_in
from ..recover.names import flow
from ..recover.roles import Role
from ..recover.variables import Variable
from .afterwards import statements_after
from .draft import Draft
from .making import makers


@dataclass(frozen=True, slots=True)
class Listed:
    """The list, the optimizers in it that have names, what makes all of them, and whether they are surely two or more."""

    variable: Variable
    elements: tuple[Variable, ...]
    statements: tuple[ast.stmt, ...]
    several: bool


def listed_optimizers(draft: Draft, name: ast.expr) -> Listed | None:
    """The list under a name, when each of its optimizers is plainly made for it and the loop knows them by the list alone."""
    variable = draft.variable(name, draft.nest.step_frame)
    match makers(draft, variable) if variable is not None else None:
        case [ast.Assign(targets=[ast.Name()], value=value) as statement] if variable is not None:
            pass
        case _:
            return None
    elements: list[Variable] = []
    statements: list[ast.stmt] = [statement]
    match value:
        case ast.ListComp(elt=ast.Call() as made):
            calls, several = [made], False
        case ast.List(elts=parts):
            calls, several = [p for p in parts if isinstance(p, ast.Call)], len(parts) > 1
            for part in parts:
                if isinstance(part, ast.Call):
                    continue
                element = draft.variable(part, draft.nest.entry)
                match makers(draft, element) if element is not None else None:
                    case [ast.Assign(targets=[ast.Name()], value=ast.Call() as call) as own] if element is not None:
                        calls.append(call)
                        elements.append(element)
                        statements.append(own)
                    case _:
                        return None
        case _:
            return None
    if not calls or not all(draft.roles.full_name(c.func).startswith("torch.optim.") for c in calls):
        return None
    if len(set(elements)) != len(elements) or {variable.name, *(e.name for e in elements)} & _read_after(draft):
        return None
    named = {draft.variable(node, frame) for item in draft.all_items() for node, frame in names_in(item)}
    if named & {*elements}:
        return None
    statements.sort(key=lambda s: s.lineno)
    return Listed(variable, tuple(elements), tuple(statements), several)


def only_stepped(draft: Draft, listed: Listed) -> bool:
    """Whether the loop runs through the list and asks its optimizers for nothing but steps, cleared gradients and groups."""
    for item in draft.all_items():
        for node, frame in names_in(item):
            above = draft.source.parents.get(node)
            if draft.variable(node, frame) is listed.variable:
                handed = (
                    isinstance(above, ast.Call)
                    and isinstance(above.func, ast.Name)
                    and above.func.id in ("zip", "enumerate")
                )
                if not handed and not (isinstance(above, ast.For) and above.iter is node):
                    return False
            elif draft.role(node, frame) is Role.OPTIMIZER and isinstance(node.ctx, ast.Load):
                if not isinstance(above, ast.Attribute) or above.attr not in ("step", "zero_grad", "param_groups"):
                    return False
    return True


def _read_after(draft: Draft) -> frozenset[str]:
    return frozenset(flow(statements_after(draft)).exposed)
