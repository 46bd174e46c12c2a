"""A script that starts or joins its processes itself: each has a Trainer of its own, on the process's own device."""

from __future__ import annotations

import ast

from ..ddp.group import Group
from ..ddp.hindrances import unfoldable
from ..ddp.own import own_group
from ..ddp.wrap import WRAPPERS
from ..recover.state_names import is_whole
from ..recover.syntax import dotted
from .draft import Draft
from .held_models import trained_models
from .making import on_the_way


def own_device(draft: Draft, on_cuda: str) -> str:
    """The Trainer's devices in a process that was given one of several GPUs; "" when nothing says so.

    One device would be the first one, in every process. ``on_cuda`` is the condition under which it is a GPU.
    """
    if draft.group is not None and draft.group.joined:
        return _device_of_group(draft.group, on_cuda)
    if draft.group is not None or draft.options.accelerator == "cpu":
        return ""
    if own_group(draft.source, draft.roles) is None:
        return ""
    torch = next((n for n, origin in sorted(draft.roles.origins.items()) if origin == "torch"), "")
    calls = [dotted(c.func).rpartition(".")[2] for c in draft.source.calls]
    chosen = f"{torch}.cuda.current_device()" if "set_device" in calls else _device_of_wrapper(draft)
    if not torch or not chosen:
        return _device_of_model(draft)
    return f"[{chosen}] if {on_cuda or f'{torch}.cuda.is_available()'} else 1"


def _device_of_group(group: Group, on_cuda: str) -> str:
    """The one device of a process that is taken as it is. Raises Unfoldable where it may be any of several GPUs."""
    if not group.device:
        raise unfoldable(
            group.line,
            "which GPU the process trains on is not seen",
            "choose it by `torch.cuda.set_device(...)` before the model is wrapped",
        )
    torch = group.device.partition(".")[0]
    return f"[{group.device}] if {on_cuda or f'{torch}.cuda.is_available()'} else 1"


def _device_of_model(draft: Draft) -> str:
    """Where the script has put the model that it wraps by then, when the entry point has a name for it."""
    wraps = [c for c in draft.source.calls if draft.roles.full_name(c.func) in WRAPPERS]
    if not wraps:
        return ""  # it may be on several devices, or have no parameters here
    placed = {ast.unparse(c.args[0]) for c in wraps if c.args and any(k.arg == "device_ids" for k in c.keywords)}
    scopes = (draft.nest.entry.scope, draft.source.tree)
    for model in sorted(trained_models(draft), key=lambda v: (v.name not in placed, v.rank)):
        if model.scope in scopes and not is_whole(model.name):
            first = f"next({model.name}.parameters())"
            return f"[{first}.device.index] if {first}.is_cuda else 1"
    return ""


def _device_of_wrapper(draft: Draft) -> str:
    """The device that the script's wrapper is given, when the entry point can say it."""
    for call in draft.source.calls:
        for keyword in call.keywords:
            if keyword.arg == "device_ids" and isinstance(keyword.value, ast.List) and len(keyword.value.elts) == 1:
                device = keyword.value.elts[0]
                surely = on_the_way(draft, draft.source.statement_of(call))
                if (
                    draft.source.scope_of(call) is draft.nest.entry.scope
                    and surely
                    and isinstance(device, ast.Name | ast.Attribute)
                ):
                    return ast.unparse(device)
    return ""
