"""The blocks that a model is built of again and again: what FSDP gathers and frees one by one.

    self.blocks = nn.ModuleList([Block(64) for _ in range(12)])     →    FSDPStrategy(auto_wrap_policy={Block})

Told only `strategy="fsdp"`, Lightning makes one unit of the whole module, and every process holds all weights whenever it computes.
Source: https://lightning.ai/docs/pytorch/stable/advanced/model_parallel/fsdp.html
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from ..recover.own_classes import class_of_call
from ..recover.syntax import dotted
from .draft import Draft

_HOLDERS = ("torch.nn.ModuleList", "torch.nn.Sequential")
_STACKS = ("torch.nn.TransformerEncoder", "torch.nn.TransformerDecoder")


def repeated_blocks(draft: Draft) -> list[str]:
    """The classes of the repeated blocks, as the entry point calls them; none where weights are tied across modules."""
    source, roles = draft.source, draft.roles
    if any(map(_ties, source.all(ast.Assign))):
        return []
    found: list[str] = []
    for call in source.calls:
        full = roles.full_name(call.func)
        if full in _HOLDERS:
            found += [name for element in _repeated(call) if (name := _own_class(draft, element))]
        elif full in _STACKS:
            layer = f"{dotted(call.func)}Layer"
            if roles.full_name(ast.parse(layer, mode="eval").body) == f"{full}Layer":
                found.append(layer)
    return list(dict.fromkeys(found))


def _ties(assignment: ast.Assign) -> bool:
    """Whether an assignment gives a module the weight of another one."""
    tied = ("weight", "bias")
    value = assignment.value
    return isinstance(value, ast.Attribute) and value.attr in tied and any(
        isinstance(target, ast.Attribute) and target.attr in tied for target in assignment.targets
    )  # fmt: skip


def _repeated(call: ast.Call) -> Iterator[ast.Call]:
    """Calls that make elements of a container of which there are more."""
    given = [a.value if isinstance(a, ast.Starred) else a for a in call.args]
    for argument in given:
        if isinstance(argument, ast.ListComp | ast.GeneratorExp) and isinstance(argument.elt, ast.Call):
            yield argument.elt
    written = [e for a in given for e in (a.elts if isinstance(a, ast.List | ast.Tuple) else [a])]
    made = [e for e in written if isinstance(e, ast.Call)]
    counts = Counter(dotted(e.func) for e in made)
    yield from (e for e in made if counts[dotted(e.func)] > 1)


def _own_class(draft: Draft, call: ast.Call) -> str:
    """The name of a module class of this file that a call makes an object of; "" for any other."""
    definition = class_of_call(draft.roles, call)
    if definition is None or not isinstance(call.func, ast.Name) or definition not in draft.source.tree.body:
        return ""
    key = draft.roles.key(draft.nest.entry.scope, call.func.id)
    if key is None or not isinstance(key[0], ast.Module) or draft.roles.bindings(key):
        return ""
    namesakes = [s for s in draft.source.tree.body if isinstance(s, ast.ClassDef) and s.name == call.func.id]
    return call.func.id if namesakes == [definition] else ""
