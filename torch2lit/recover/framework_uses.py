"""Every use that a file makes of a framework that wraps its training, and what takes the use's place in plain PyTorch."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from .roles import Roles
from .syntax import Source, dotted

_DROP = "drop it"
_ONE = "`True` in one process"

PLAIN: Mapping[str, Mapping[str, str]] = {
    "Accelerate": {
        "Accelerator": _DROP,
        "prepare": "drop it; move the model and each batch to the device",
        "prepare_model": "drop it; move the model to the device",
        "prepare_data_loader": "drop it; move each batch to the device",
        "prepare_optimizer": _DROP,
        "prepare_scheduler": _DROP,
        "backward": "`(loss / N).backward()` for `gradient_accumulation_steps=N`, `loss.backward()` without",
        "accumulate": "step the optimizer and the scheduler and zero the gradients only after every N-th batch and after the "
        "last one of an epoch",
        "no_sync": _DROP,
        "sync_gradients": "true after every N-th batch and after the last one of an epoch",
        "gradient_accumulation_steps": "the N of your own condition around the step",
        "clip_grad_norm_": "`torch.nn.utils.clip_grad_norm_`, only where the step is made",
        "clip_grad_value_": "`torch.nn.utils.clip_grad_value_`, only where the step is made",
        "autocast": "`torch.autocast`",
        "scaler": "a `torch.amp.GradScaler` of your own",
        "device": "a `torch.device` of your own",
        "is_main_process": _ONE,
        "is_local_main_process": _ONE,
        "is_last_process": _ONE,
        "num_processes": "1",
        "process_index": "0",
        "local_process_index": "0",
        "wait_for_everyone": _DROP,
        "gather": "the value itself in one process",
        "gather_for_metrics": "the value itself in one process",
        "reduce": "the value itself in one process",
        "pad_across_processes": "the value itself in one process",
        "unwrap_model": "the model itself",
        "get_state_dict": "`model.state_dict()`",
        "print": "`print`",
        "log": "the logger itself",
        "init_trackers": "make the logger yourself",
        "end_training": "close the logger yourself",
        "save": "`torch.save`",
        "save_model": "`torch.save` of the model's `state_dict()`",
        "save_state": "`torch.save` of the states of model, optimizer, scheduler and random numbers",
        "load_state": "`torch.load` of what was saved, and `load_state_dict` of each",
        "register_for_checkpointing": "save and load it yourself",
        "skip_first_batches": "skip them in the loop",
        "set_seed": "`random.seed`, `numpy.random.seed` and `torch.manual_seed`",
        "free_memory": _DROP,
    },
    "apex": {
        "initialize": _DROP,
        "scale_loss": "`loss.backward()`; for mixed precision run the forward pass under `torch.autocast`, with a "
        "`torch.amp.GradScaler`",
        "master_params": "the parameters of the model",
        "state_dict": "the state of the `GradScaler`",
        "load_state_dict": "the state of the `GradScaler`",
        "DistributedDataParallel": "`torch.nn.parallel.DistributedDataParallel`",
        "convert_syncbn_model": "`torch.nn.SyncBatchNorm.convert_sync_batchnorm`",
        "FusedAdam": "`torch.optim.AdamW` (its default is decoupled weight decay)",
        "FusedSGD": "`torch.optim.SGD`",
        "FusedLAMB": "an optimizer of your own",
        "FusedLayerNorm": "`torch.nn.LayerNorm`",
    },
    "Horovod": {
        "init": _DROP,
        "DistributedOptimizer": "the optimizer itself; with `backward_passes_per_step=N` it steps after every N-th backward pass",
        "broadcast_parameters": _DROP,
        "broadcast_optimizer_state": _DROP,
        "broadcast_object": "the object itself in one process",
        "broadcast": "the value itself in one process",
        "allreduce": "the value itself in one process",
        "allgather": "the value itself in one process",
        "rank": "0",
        "local_rank": "0",
        "size": "1; a learning rate or a batch size that is multiplied by it changes with it",
        "local_size": "1",
        "synchronize": _DROP,
        "skip_synchronize": _DROP,
        "join": _DROP,
    },
    "DeepSpeed": {
        "initialize": "make the optimizer and the scheduler that its configuration asks for",
        "init_distributed": _DROP,
        "add_config_arguments": _DROP,
        "backward": "`(loss / N).backward()` for `gradient_accumulation_steps` N, `loss.backward()` without",
        "step": "clip, step the optimizer, step the scheduler and zero the gradients, after every N-th batch only",
        "zero_grad": "zero the gradients of the optimizer after its step",
        "train": "`model.train()`",
        "eval": "`model.eval()`",
        "module": "the model itself",
        "local_rank": "0",
        "device": "a `torch.device` of your own",
        "is_gradient_accumulation_boundary": "true after every N-th batch",
        "save_checkpoint": "`torch.save`",
        "load_checkpoint": "`torch.load`",
        "save_16bit_model": "`torch.save` of the model's `state_dict()`",
    },
    "ignite": {
        "Engine": "write the loops over epochs and batches that run its function",
        "create_supervised_trainer": "write the loops over epochs and batches, and the step",
        "create_supervised_evaluator": "write the loop over the validation batches",
        "run": "the loop over epochs and batches itself",
        "on": "call the handler at that place of the loop",
        "add_event_handler": "call the handler at that place of the loop",
        "attach": "call it at that place of the loop",
        "state": "variables of the loop",
    },
}
_MAKERS = {
    "Accelerate": ("Accelerator",),
    "DeepSpeed": ("initialize",),
    "Horovod": ("DistributedOptimizer",),
    "ignite": ("Engine", "create_supervised_trainer", "create_supervised_evaluator"),
}
_SETTINGS = ("Accelerator", "DistributedOptimizer")
_USUAL = {"Accelerate": ("accelerator",)}
_OWN_OF_TORCH = {"Horovod": ("step", "zero_grad", "state_dict", "load_state_dict", "param_groups", "state")}


def uses_told(source: Source, roles: Roles, framework: str, modules: tuple[str, ...]) -> str:
    """Each use with its lines and what takes its place, as one clause per name, in the order of the file."""
    lines: dict[str, list[int]] = {}
    for line, name in sorted(set(_uses(source, roles, framework, modules))):
        lines.setdefault(name, []).append(line)
    plain = dict(PLAIN.get(framework, {}))
    if "gradient_accumulation" not in source.text and "backward" in plain:
        plain["backward"] = "`loss.backward()`"
    for maker, given in _arguments(source, roles, framework, modules).items():
        plain[maker] = f"{plain[maker]}, and write out what its arguments ask for: {given}"
    return "; ".join(
        f"`{name}` ({'line' if len(found) == 1 else 'lines'} {', '.join(map(str, found))})"
        + (f": {plain[name]}" if name in plain else "")
        for name, found in lines.items()
    )


def _arguments(source: Source, roles: Roles, framework: str, modules: tuple[str, ...]) -> dict[str, str]:
    """The settings that the framework is made with, by the name of what makes it."""
    found: dict[str, list[str]] = {}
    for call in source.calls:
        full = roles.full_name(call.func)
        name = full.rpartition(".")[2]
        if _within(full, modules) and name in _SETTINGS and (given := [k for k in call.keywords if k.arg]):
            found.setdefault(name, []).extend(f"`{k.arg}={ast.unparse(k.value)}`" for k in given)
    return {name: ", ".join(texts) for name, texts in found.items()}


def _uses(source: Source, roles: Roles, framework: str, modules: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    tools = {*_objects(source, roles, framework, modules), *_USUAL.get(framework, ())}
    skipped = _OWN_OF_TORCH.get(framework, ())
    inner = {id(n.value) for n in source.all(ast.Attribute)}
    for node in (*source.all(ast.Attribute), *source.all(ast.Name)):
        if not isinstance(getattr(node, "ctx", None), ast.Load):
            continue
        if isinstance(node, ast.Attribute) and _last(node.value) in tools:
            if node.attr not in skipped:
                yield node.lineno, node.attr
            continue
        full = roles.full_name(node) if dotted(node).partition(".")[0] in roles.origins else ""
        if _within(full, modules) and id(node) not in inner and full not in modules:
            yield node.lineno, full.rpartition(".")[2]


def _objects(source: Source, roles: Roles, framework: str, modules: tuple[str, ...]) -> set[str]:
    """The names, also of attributes, of the objects through which the framework is used."""
    found: set[str] = set()
    for node in source.all(ast.Assign):
        if not isinstance(node.value, ast.Call):
            continue
        full = roles.full_name(node.value.func)
        if _within(full, modules) and full.rpartition(".")[2] in _MAKERS.get(framework, ()):
            for target in node.targets:
                first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
                found.add(_last(first))
    return found - {""}


def _within(full: str, modules: tuple[str, ...]) -> bool:
    return full.partition(".")[0] in {m.partition(".")[0] for m in modules} and full != ""


def _last(node: ast.expr) -> str:
    return dotted(node).rpartition(".")[2]
