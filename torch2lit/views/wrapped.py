"""Training in methods of a model that a method wraps for several processes: without the wrapper it is training like any other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from ..ddp.hindrances import Unfoldable, in_one_clause
from ..objects.classes import find_family
from ..objects.restore import in_raw_words
from ..objects.view import plain_view
from .folding import ways_without_wrapper
from .way import ALL, UNFOLDABLE, Blocked, Program, Way

_OWN = "the script trains in processes of its own, each on a device of its own"


def wrapped_ways(program: Program, owner: ast.ClassDef, others: str) -> Iterator[Way | Blocked]:
    """The program without the wrapper of a class's model, or why it has to stay."""
    family = find_family(program.source, program.roles, owner, others, grouped=True)
    view = plain_view(program.source, family, others) if not isinstance(family, str) else None
    if view is None:
        reason = f"{_OWN}, and {family}" if isinstance(family, str) else _OWN
        yield Blocked("processes", reason, about=owner)
        return
    seen = Program(view.text, program.path, program.options, ALL, view=view)
    if len(seen.recovered.nests) != 1 or seen.skipped:
        yield Blocked("processes", _OWN, about=owner)
        return
    try:
        ways = ways_without_wrapper(seen, program)
    except Unfoldable as kept:
        yield Blocked("processes", f"{_OWN}: {in_raw_words(in_one_clause(kept.hindrances))}", about=owner)
        return
    if not ways:
        yield Blocked("processes", _OWN, about=owner)
    for way in ways:
        yield replace(way, about=owner)


def why_wrapped(blocked: Blocked) -> Blocked:
    """What is said of the class when one of these ways leads nowhere."""
    reason = (
        f"{_OWN}: {in_raw_words(in_one_clause(blocked.hindrances))}"
        if blocked.code == UNFOLDABLE
        else blocked.reason or _OWN
    )
    return replace(blocked, code="processes", reason=reason)
