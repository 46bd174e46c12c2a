"""Does a script start, join or spread its training over several processes itself?"""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Source

_WORDS = (
    "init_process_group",
    "spawn",
    "start_processes",
    "DistributedDataParallel",
    "FullyShardedDataParallel",
    "fully_shard",
)

_OF_FABRIC = {
    "init_process_group": "`fabric.launch()` makes the group",
    "spawn": "`fabric.launch()` starts the processes",
    "start_processes": "`fabric.launch()` starts the processes",
    "DistributedDataParallel": "`fabric.setup` wraps the model",
    "FullyShardedDataParallel": "`fabric.setup` shards the model (`--strategy fsdp`)",
    "DistributedSampler": "`fabric.setup_dataloaders` gives the loader its sampler",
}
"""What Fabric does in the place of a script's own set-up."""
_OF_TRAINER = {
    "init_process_group": "the Trainer makes the group",
    "init_device_mesh": "the Trainer makes the mesh",
    "spawn": "the Trainer starts the processes",
    "start_processes": "the Trainer starts the processes",
    "FullyShardedDataParallel": "the strategy shards the model",
    "fully_shard": "`configure_model` shards the model",
    "DistributedSampler": "the Trainer gives the loader its sampler",
}
"""What a Trainer does in its place where it shards the model."""


def own_group(source: Source, roles: Roles) -> ast.Call | None:
    """The first call that makes a group of processes, joins one, or wraps a model for it; None when there is none."""
    if not any(word in source.text for word in _WORDS):
        return None
    found = [c for c in source.calls if _is_torchs(roles.full_name(c.func))]
    return min(found, key=lambda c: (c.lineno, c.col_offset)) if found else None


def in_place_of(source: Source, roles: Roles, trainer: bool = False) -> list[tuple[ast.Call, str]]:
    """The calls that set several processes up, in their order, with what Fabric, or a Trainer, does where there are none."""
    instead = _OF_TRAINER if trainer else _OF_FABRIC
    found = [(c, roles.full_name(c.func)) for c in source.calls]
    told = [(c, instead[name]) for c, full in found
            if full.startswith("torch.") and (name := full.rpartition(".")[2]) in instead]  # fmt: skip
    return sorted(told, key=lambda one: (one[0].lineno, one[0].col_offset))


def shards(source: Source, roles: Roles) -> bool:
    """Whether the script shards its model itself."""
    names = {roles.full_name(c.func).rpartition(".")[2] for c in source.calls}
    return bool(names & {"fully_shard", "FullyShardedDataParallel"})


def unwrapped(source: Source, roles: Roles) -> str:
    """What to change in a script that spreads its training without DistributedDataParallel; "" where nothing is seen."""
    names = {roles.full_name(c.func).rpartition(".")[2] for c in source.calls}
    if "fully_shard" in names:
        return (
            "to let Lightning shard the model, take `fully_shard` and the group out and convert with `--strategy fsdp2`"
        )
    if "FullyShardedDataParallel" in names:
        return "to let Lightning shard the model, take the wrapper and the group out and convert with `--strategy fsdp`"
    reduced = [c for c in source.calls if roles.full_name(c.func) == "torch.distributed.all_reduce" and c.args]
    if any(isinstance(n, ast.Attribute) and n.attr == "grad" for c in reduced for a in c.args for n in ast.walk(a)):
        return "it averages gradients by hand: wrap the model in DistributedDataParallel instead, which can become the Trainer's strategy"
    if "init_process_group" in names and "DistributedDataParallel" not in names:
        return (
            "no line of this file wraps the model: one with DistributedDataParallel can become the Trainer's strategy"
        )
    return ""


def _is_torchs(full: str) -> bool:
    return full.startswith("torch.") and full.rpartition(".")[2] in _WORDS
