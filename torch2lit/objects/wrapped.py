"""Training in methods of a model that a method wraps for several processes: without the wrapper it is training like any other."""

from __future__ import annotations

import ast
from collections.abc import Callable

from ..ddp.folding import converted_without_wrapper
from ..ddp.group import Unfoldable
from ..options import Options
from ..program import Conversion, Outcome
from ..recover.nest import recover_nests
from ..recover.roles import Roles
from ..recover.syntax import Source
from .classes import find_family
from .restore import told
from .view import plain_view

_OWN = "the script trains in processes of its own, each on a device of its own"


def convert_wrapped(
    source: Source,
    roles: Roles,
    owner: ast.ClassDef,
    others: str,
    path: str,
    options: Options,
    again: Callable[..., Conversion],
) -> Conversion | str:
    """The conversion with the wrapper as Lightning's strategy, or what kept it from that."""
    family = find_family(source, roles, owner, others, grouped=True)
    view = plain_view(source, family, others) if not isinstance(family, str) else None
    if view is None:
        return f"{_OWN}, and {family}" if isinstance(family, str) else _OWN
    seen_source = Source(view.text, view)
    seen = Roles(seen_source, roles.neighbours)
    recovered = recover_nests(seen_source, seen)
    from ..engine import skipped_nests

    if len(recovered.nests) != 1 or skipped_nests(seen_source, recovered.nests):
        return _OWN
    try:
        result = converted_without_wrapper(seen_source, seen, recovered.nests[0], path, options, again)
    except Unfoldable as reason:
        return f"{_OWN}: {told(reason.reason)}"
    if result is None:
        return _OWN
    if result.outcome is Outcome.CONVERTED:
        return result
    reasons = [f.message for f in result.findings if f.slug == "loop-in-class"]
    return reasons[0].partition(": ")[2] or _OWN if reasons else _OWN
