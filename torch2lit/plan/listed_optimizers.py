"""Optimizers in a list that the loop runs through: `configure_optimizers` makes them, and the list.

optimizers = [Adam(net.parameters(), lr=lr) for net in nets]
for x, y in loader:
    for net, optimizer in zip(nets, optimizers): ...

So it does where they stand in a tuple, and where a function of the project makes them all and returns them together.
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
from .returned_optimizers import only_taken_apart, returned_by


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
    found: Listed | None = None
    match value:
        case ast.ListComp(elt=ast.Call() as made) if _are_torchs(draft, [made]):
            found = Listed(variable, (), (statement,), False)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            found = _written_out(draft, variable, statement, parts)
        case ast.Call() if (returned := returned_by(draft.roles, value)) is not None:
            value = returned
            found = Listed(variable, (), (statement,), len(returned.elts) > 1)
    if found is None or {variable.name, *(e.name for e in found.elements)} & _read_after(draft):
        return None
    if isinstance(value, ast.Tuple) and not only_taken_apart(draft, variable):
        return None
    named = {draft.variable(node, frame) for item in draft.all_items() for node, frame in names_in(item)}
    return None if named & {*found.elements} else found


def _written_out(draft: Draft, variable: Variable, statement: ast.Assign, parts: list[ast.expr]) -> Listed | None:
    """A list whose elements are made in it, or in front of it under names of their own."""
    calls = [p for p in parts if isinstance(p, ast.Call)]
    elements: list[Variable] = []
    statements: list[ast.stmt] = [statement]
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
    if not calls or not _are_torchs(draft, calls) or len(set(elements)) != len(elements):
        return None
    statements.sort(key=lambda s: s.lineno)
    return Listed(variable, tuple(elements), tuple(statements), len(parts) > 1)


def _are_torchs(draft: Draft, calls: list[ast.Call]) -> bool:
    return all(draft.roles.full_name(c.func).startswith("torch.optim.") for c in calls)


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
