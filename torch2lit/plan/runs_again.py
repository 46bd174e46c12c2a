"""Whether a training loop may run more than once in one run of the script."""

from __future__ import annotations

import ast

from ..recover.state_names import is_attribute
from .draft import Draft


def runs_again(draft: Draft) -> bool:
    """Whether the loop stands in another one, or its function is called in a loop or in several places."""
    if any(isinstance(a, ast.For | ast.While) for a in draft.source.ancestors(draft.nest.outermost)):
        return True
    scope = draft.nest.entry.scope
    if isinstance(scope, ast.Module):
        return False
    if is_attribute(scope.name):  # an object may be asked to train as often as one likes
        return True
    calls = draft.source.calls_to(scope.name)
    return len(calls) > 1 or any(isinstance(a, ast.For | ast.While) for c in calls for a in draft.source.ancestors(c))
