"""Evaluation on several devices: every process validates on all data, so that it counts and averages what one process does.

    val_loader = DataLoader(val_set, 50)      →    val_loader = DataLoader(val_set, 50, sampler=torch.utils.data.DistributedSampler(
                                                       val_set, num_replicas=1, rank=0, shuffle=False))
    val_loader = make_loader(args)            →    trainer.fit(module, train_loader, EveryBatch(val_loader))

Lightning gives a DataLoader that has no DistributedSampler one of its own, which shares the data out and repeats some of it to make
the shares equal. It leaves alone a DataLoader that has one, and everything that is no DataLoader.
Source: https://lightning.ai/docs/pytorch/stable/common/trainer.html#use-distributed-sampler
"""

from __future__ import annotations

import ast

from ..recover.items import names_in
from ..recover.makings import Making, is_none
from ..recover.syntax import dotted, walk
from .draft import Draft, Whole
from .moved import moved_functions
from .placement import torch_name
from .train_data import constructions, runs_over_iterable

DATA_LOADER = "torch.utils.data.DataLoader"


def whole_evaluation(draft: Draft) -> Whole | None:
    """How every process gets all of the validation data; None when it does, or when the script shares it out itself."""
    found = draft.validation
    if found is None or draft.group is not None:
        return None
    made = constructions(draft, found.loop.base, found.frame)
    if made and all(runs_over_iterable(m) for m in made):
        return None  # Lightning shares out nothing that has no length
    ordered = bool(made) and all(is_ordered(m) for m in made)
    if len(made) == 1 and (sampler := _sampler(draft, made[0])):
        return Whole(made[0].call, sampler, same_order=True)
    return Whole(attributes=_asked(draft), same_order=ordered)


def is_ordered(made: Making) -> bool:
    """Whether a loader surely gives its batches in the data's own order."""
    if made.full_name != DATA_LOADER or any(k.arg is None for k in made.call.keywords) or len(made.call.args) > 2:
        return False
    if any((given := made.argument(n)) is not None and not is_none(given) for n in ("sampler", "batch_sampler")):
        return False
    shuffle = made.argument("shuffle")
    return shuffle is None or (isinstance(shuffle.node, ast.Constant) and not shuffle.node.value)


def _sampler(draft: Draft, made: Making) -> str:
    """The sampler that the call can be given, as source; "" when the loader has to be wrapped."""
    dataset = made.argument("dataset", 0)
    if made.roles is not draft.roles or not is_ordered(made) or made.argument("sampler") is not None:
        return ""
    if dataset is None or not isinstance(dataset.node, ast.Name | ast.Attribute) or not _stays(draft, made.call):
        return ""
    if (place := _name_of_sampler(draft, made.call)) == "":
        return ""
    return f"{place}({ast.unparse(dataset.node)}, num_replicas=1, rank=0, shuffle=False)"


def _name_of_sampler(draft: Draft, call: ast.Call) -> str:
    path = dotted(call.func).rpartition(".")[0]
    torch = torch_name(draft.roles)
    return f"{path}.DistributedSampler" if path else f"{torch}.utils.data.DistributedSampler" if torch else ""


def _stays(draft: Draft, call: ast.Call) -> bool:
    """Whether the call makes this loader alone, in an assignment that the conversion leaves where it is."""
    source = draft.source
    statement = source.statement_of(call)
    if not isinstance(statement, ast.Assign) or statement.value is not call or source.view is not None:
        return False
    if statement in draft.removals or statement in draft.claims:
        return False
    around = [a for a in source.ancestors(statement) if isinstance(a, ast.For | ast.While)]
    if around or source.scope_of(statement) in moved_functions(draft):
        return False
    if (loop := draft.nest.batches) is not None:
        return all(m.call is not call for m in constructions(draft, loop.base, draft.nest.inner))
    return True


def _asked(draft: Draft) -> tuple[str, ...]:
    """The attributes of the loader that hooks may ask for."""
    assert draft.validation is not None
    loader = draft.variable(draft.validation.loop.base, draft.validation.frame)
    found: set[str] = set()
    for item in draft.all_items():
        for node, frame in names_in(item):
            parent = draft.source.parents.get(node)
            if loader is None or draft.variable(node, frame) is not loader:
                continue
            if isinstance(parent, ast.Attribute):
                found.add(parent.attr)
            elif not (isinstance(parent, ast.Call) and dotted(parent.func) == "len"):
                found.add("dataset")
    if loader is None:
        text = ast.unparse(draft.validation.loop.base)
        nodes = [n for item in draft.all_items() for n in walk(item.node) if isinstance(n, ast.Attribute)]
        found |= {n.attr for n in nodes if ast.unparse(n.value) == text}
    return tuple(sorted(found))
