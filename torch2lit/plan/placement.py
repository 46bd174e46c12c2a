"""Where the Trainer trains: on the device that the script puts its model on, with its number."""

from __future__ import annotations

import ast

from ..ddp.own import own_group
from ..lightning_values import devices_code
from ..recover.device_values import NONE, NUMBER, OBJECT, TEXT, UNKNOWN, DeviceValue, device_value
from ..recover.names import parameter_names
from ..recover.roles import Roles
from ..recover.state_names import is_whole
from ..recover.syntax import Scope, dotted, walk
from .device_moves import Device, DeviceMoves
from .draft import Draft, Placement
from .held_models import trained_models
from .own_processes import own_device

_HIDDEN = {"set_default_device", "set_default_tensor_type"}
"""Calls that put things on a device where nobody moves them."""


def placement(draft: Draft) -> Placement:
    """Where the Trainer trains: as the options say, else as the script does."""
    options = draft.options
    found = _of_script(draft)
    accelerator, devices = found.accelerator, found.devices
    if options.accelerator is not None:
        accelerator, devices = f'"{options.accelerator}"', "1"
    elif options.devices is None and accelerator != '"cpu"' and (own := own_device(draft, cuda_test(accelerator))):
        devices = own
    if options.devices is not None:
        devices = devices_code(options.devices)
    return Placement(accelerator, devices, found.before, found.device, found.measured, found.accelerator)


def cuda_test(accelerator: str) -> str:
    """The condition under which an accelerator is CUDA's, as source; "" when the text cannot say."""
    if accelerator.startswith('"cuda" if ') and accelerator.endswith(' else "cpu"'):
        return accelerator.removeprefix('"cuda" if ').removesuffix(' else "cpu"')
    if accelerator.startswith('"') or " if " in accelerator:
        return ""
    return f'{accelerator} == "cuda"'


def _of_script(draft: Draft) -> Placement:
    moves = DeviceMoves(draft)
    calls = moves.of_models() or moves.of_data()
    if not calls:
        hidden = any(dotted(c.func).rpartition(".")[2] in _HIDDEN for c in draft.source.calls)
        return _measured(draft) if hidden or _made_elsewhere(draft) else Placement('"cpu"')
    return _agreed(draft, moves, calls) or _agreed(draft, moves, moves.of_data()) or _measured(draft)


def _agreed(draft: Draft, moves: DeviceMoves, calls: list[ast.Call]) -> Placement | None:
    """What all moves say; None when they do not say the same, or one cannot be said at the entry point."""
    found: dict[Placement | None, None] = {}
    for call in calls:
        device = moves.device(call)
        found[_written(draft, device) if device is not None else None] = None
    return next(iter(found)) if len(found) == 1 else None


def _made_elsewhere(draft: Draft) -> bool:
    """Whether a function of another file that makes the model moves it."""
    for model in trained_models(draft):
        for binding in draft.roles.bindings((model.scope, model.name)):
            if isinstance(binding.value, ast.Call):
                function = draft.roles.function_named(draft.roles.full_name(binding.value.func))
                if function is not None and any(
                    isinstance(n, ast.Attribute) and n.attr in ("cuda", "to") for n in walk(function[0])
                ):
                    return True
    return False


def _measured(draft: Draft) -> Placement:
    """The device that the model is on when the Trainer is made: right for whatever the script did before."""
    entry = draft.nest.entry.scope
    for model in sorted(trained_models(draft), key=lambda v: v.rank):
        if is_whole(model.name) or draft.roles.key(entry, model.name) != (model.scope, model.name):
            continue
        name = _free(draft, "device")
        return Placement(
            f"{name}.type",
            f"[{name}.index] if {name}.index else 1",
            f"{name} = next({model.name}.parameters()).device",
            name,
            measured=True,
        )
    torch = torch_name(draft.roles)
    return Placement(f'"cuda" if {torch}.cuda.is_available() else "cpu"' if torch else '"auto"', measured=True)


def _free(draft: Draft, name: str) -> str:
    """A name for the device that nothing at the entry point stands for."""
    entry = draft.nest.entry.scope
    for candidate in (name, f"torch_{name}", f"model_{name}"):
        if draft.roles.key(entry, candidate) is None and candidate not in draft.roles.origins:
            return candidate
    name += "_"
    while draft.roles.key(entry, name) is not None:
        name += "_"
    return name


def torch_name(roles: Roles) -> str:
    """What the script calls torch, "" when it has no name for it."""
    return next((n for n, origin in sorted(roles.origins.items()) if origin == "torch"), "")


def _written(draft: Draft, device: Device) -> Placement | None:
    """A device as Trainer arguments; None when only the model can tell."""
    value = device.value
    index = _index(draft, device)
    if index is None:
        return None
    if device.condition:
        if value.only_type != "cuda":
            return None
        devices = f"{index} if {device.condition} else 1" if index != "1" else "1"
        return Placement(f'"cuda" if {device.condition} else "cpu"', devices)
    if value.only_type and not _is_parameter(draft, device):
        text = "" if device.node is None else device.text
        return Placement(f'"{value.only_type}"', index, device=text)
    return _of_several(draft, device)


def _is_parameter(draft: Draft, device: Device) -> bool:
    """Whether callers say which device it is: other files may call as well."""
    entry, node = draft.nest.entry.scope, device.node
    return isinstance(node, ast.Name) and not isinstance(entry, ast.Module) and node.id in parameter_names(entry)


def _of_several(draft: Draft, device: Device) -> Placement | None:
    """A device that may be of several types."""
    value, text, node = device.value, device.text, device.node
    if inline := _chosen(draft.roles, node, device.scope):
        return Placement(inline, device=text)
    simple = isinstance(node, ast.Name | ast.Attribute)
    if value.forms == {OBJECT} and simple:
        devices = "1" if value.first_only else f"[{text}.index] if {text}.index else 1"
        return Placement(f"{text}.type", _current(draft, f"{text}.type", value, devices), device=text)
    if value.forms == {TEXT} and value.numbers == {""} and not _is_parameter(draft, device):
        return Placement(text, _current(draft, text, value, "1"), device=text)
    if not (torch := torch_name(draft.roles)) or {NONE, NUMBER} <= value.forms:
        return None
    given = f'{text} or "cpu"' if NONE in value.forms else text
    if value.first_only and simple:
        kind = f"{torch}.device({given}).type"
        return Placement(kind, _current(draft, kind, value, "1"), device=text)
    name = _free(draft, "device")
    line = text if value.forms == {OBJECT} else f"{torch}.device({given})"
    return Placement(f"{name}.type", f"[{name}.index] if {name}.index else 1", f"{name} = {line}", name)


def _chosen(roles: Roles, node: ast.expr | None, scope: Scope) -> str:
    """A choice that is written where the model is moved, as the type of the device; "" for anything else."""
    if isinstance(node, ast.Call) and roles.full_name(node.func) == "torch.device" and len(node.args) == 1:
        node = node.args[0]
    match node:
        case ast.IfExp(test=test, body=body, orelse=other):
            parts = [
                f'"{value.only_type}"'
                if (value := device_value(roles, p, scope)).only_type and value.first_only
                else ""
                for p in (body, other)
            ]
            parts[1] = parts[1] or _chosen(roles, other, scope)
            return f"{parts[0]} if {ast.unparse(test)} else {parts[1]}" if all(parts) else ""
    return ""


def _sets_device(draft: Draft) -> bool:
    """Whether the script makes another GPU than the first one the current one, in a process that it does not share with others."""
    if draft.group is not None or own_group(draft.source, draft.roles) is not None:
        return False
    for call in draft.source.calls:
        if draft.roles.full_name(call.func) in ("torch.cuda.set_device", "torch.cuda.device"):
            first = next(iter([*call.args, *(k.value for k in call.keywords)]), None)
            if first is None:
                continue
            value = device_value(draft.roles, first, draft.source.scope_of(call))
            if not value.numbers <= {"0"}:
                return True
    return False


def _current(draft: Draft, kind: str, value: DeviceValue, devices: str) -> str:
    """The Trainer's devices where the script may have made another GPU the current one."""
    if "" not in value.numbers or not _sets_device(draft):
        return devices
    torch = torch_name(draft.roles)
    return f"[{torch}.cuda.current_device()] if {cuda_test(kind)} else 1" if torch else devices


def _index(draft: Draft, device: Device) -> str | None:
    """The Trainer's devices for a device of one type, as source; None when only the model can tell."""
    value = device.value
    if _sets_device(draft) and value.types != {"cpu"}:
        torch = torch_name(draft.roles)
        if value.numbers == {""} and torch:
            return f"[{torch}.cuda.current_device()]" if value.only_type == "cuda" else "1"
        return None
    if value.first_only or not value.only_type:
        return "1"
    if len(value.numbers) == 1 and next(iter(value.numbers)) != UNKNOWN:
        return f"[{next(iter(value.numbers))}]"
    if value.forms == {NUMBER}:
        return f"[{device.text}]"
    if value.forms == {OBJECT} and isinstance(device.node, ast.Name | ast.Attribute):
        return f"[{device.text}.index] if {device.text}.index else 1"
    return None
