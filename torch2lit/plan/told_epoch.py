"""Does a script tell the sampler of its training loader the epoch? Lightning does so in every epoch."""

from __future__ import annotations

import ast

from ..recover.makings import Making, Value, makings
from ..recover.syntax import Source
from .draft import Draft
from .samplers import samplers_with_epoch


def script_tells_epoch(draft: Draft, loaders: list[Making]) -> bool:
    """Whether the script itself calls ``set_epoch`` on a sampler of these loaders, in every epoch.

    A call under a condition counts when the sampler is made under the same one.
    """
    samplers = [sampler for loader in loaders for sampler in samplers_with_epoch(loader)]
    known = [_conditions(sampler.roles.source, sampler.call) for sampler in samplers]
    for call in draft.source.calls:
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "set_epoch":
            continue
        conditions = _conditions(draft.source, call) - _that_there_is(call.func.value)
        always = all(conditions <= k for k in known) if known else not conditions
        if always and not _is_of_another(draft, call.func.value, loaders, samplers):
            return True
    return False


def _that_there_is(sampler: ast.expr) -> set[str]:
    """The tests that say no more than that there is a sampler: where there is none, Lightning tells none."""
    text = ast.unparse(sampler)
    return {text, f"{text} is not None"}


def _is_of_another(draft: Draft, receiver: ast.expr, loaders: list[Making], samplers: list[Making]) -> bool:
    """Whether a sampler is surely that of another loader: the one or the other was made by other calls."""
    scope = draft.source.scope_of(receiver)
    through = isinstance(receiver, ast.Attribute) and receiver.attr == "sampler"
    owner = receiver.value if isinstance(receiver, ast.Attribute) and through else receiver
    made = makings(Value(owner, scope, draft.roles))
    own = {id(m.call) for m in (loaders if through else samplers)}
    kind = "DataLoader" if through else "Sampler"
    return bool(made and own) and all(m.last_name.endswith(kind) and id(m.call) not in own for m in made)


def _conditions(source: Source, node: ast.AST) -> set[str]:
    """The conditions around a node in its function, as text; those of an `else` are negated."""
    found: set[str] = set()
    below = node
    for ancestor in source.ancestors(node):
        if isinstance(ancestor, ast.FunctionDef | ast.AsyncFunctionDef):
            break
        if isinstance(ancestor, ast.If | ast.IfExp) and ancestor.test is not below:
            within = ancestor.body if isinstance(ancestor.body, list) else [ancestor.body]
            test = ast.unparse(ancestor.test)
            found.add(test if below in within else f"not ({test})")
        below = ancestor
    return {test for test in found if "__name__" not in test}
