"""An evaluation that records gradients: Lightning's validation does not, which must not be seen from outside."""

from __future__ import annotations

import ast

from ..recover.items import Item, grad_mode, parts
from ..recover.loops import loop_names
from ..recover.phases import Validation
from ..recover.syntax import dotted, walk, walk_scope
from .draft import Draft
from .graph_carriers import GraphCarriers
from .same_model import keeps_its_model

_SHOWS_GRAPH = {"requires_grad", "grad_fn", "is_leaf"}


def graph_is_seen(draft: Draft, found: Validation) -> str:
    """Why somebody may notice that nothing is recorded; "" when nobody does or the script records nothing itself."""
    if all(map(_switched_off, found.firsts)):
        around = [i for i in [*found.before, *found.trailing] if draft.effects_of(i).model]
        return goes_on_with(draft, found, around)
    after = [*found.before, *found.body, *found.trailing, *found.rest]
    for item in after if not any(map(_switched_on, found.firsts)) else []:
        for node in (n for part, _frame in parts(item) for n in walk_scope(part)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr in _SHOWS_GRAPH:
                return f"it records gradients, and `{ast.unparse(node)[:40]}` looks at that"
    return goes_on_with(draft, found, after)


def goes_on_with(draft: Draft, found: Validation, items: list[Item]) -> str:
    """Why the training may go on with a tensor for which the items record gradients; "" when it does not."""
    written = draft.variables.sequence(items).written
    batch = found.trained(draft.epoch.batch)
    exposed = draft.variables.sequence([*draft.epoch.before, *batch]).exposed
    given = set(loop_names(draft.nest.batches)) if draft.nest.batches is not None else set()
    kept = [v for v in written & exposed if v.name not in given and _gets_a_result(draft, v.name, items)]
    carriers = GraphCarriers(draft, items).found if kept else set()
    names = sorted(v.name for v in kept if v in carriers)
    return f"it records gradients, and training goes on with its `{names[0]}`" if names else ""


def _gets_a_result(draft: Draft, name: str, items: list[Item]) -> bool:
    """Whether the name may get a tensor: more than a fresh list, a number, one more of something or the model that it holds."""
    for item in items:
        found = False
        for node in (n for part, _frame in parts(item) for n in walk_scope(part)):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                found = True
        if keeps_its_model(draft, item, name):
            continue
        match item.node:
            case ast.Assign(value=value) | ast.AugAssign(value=value) if item.kind == "statement":
                found = found and any(isinstance(n, ast.Name) for n in walk(value))
        if found:
            return True
    return False


def _switched_off(found: Validation) -> bool:
    """Whether gradients are off for all of its loop."""
    scope = found.frame.scope
    decorators = [] if isinstance(scope, ast.Module) else scope.decorator_list
    if any(
        dotted(d.func if isinstance(d, ast.Call) else d).endswith(("no_grad", "inference_mode")) for d in decorators
    ):
        return True
    around = [i.context_expr for s in found.unwrapped if isinstance(s, ast.With) for i in s.items]
    return any(grad_mode(one) == "no_grad" for one in around)


def _switched_on(found: Validation) -> bool:
    """Whether its loop switches gradients on itself, as the conversion does then."""
    return any(isinstance(n, ast.Call) and grad_mode(n) == "enable_grad" for n in walk(found.loop.node))
