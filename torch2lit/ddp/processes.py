"""How a script comes to its processes: Lightning may join those that torchrun or the script's own `mp.spawn` starts."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from ..recover.roles import Roles, roles_of
from ..recover.syntax import Source, dotted
from .elsewhere import files_with_processes
from .hindrances import Hindrances, Unfoldable, unfoldable
from .spawn import SPAWN, check_numbers, distributed_name, find_spawn

_STARTS = ("spawn", "start_processes", "Process")
_GROUPS = (
    "rpc",
    "init_rpc",
    "new_group",
    "new_subgroups",
    "init_device_mesh",
    "Join",
)
_JOINS = {"torch.distributed.algorithms.join.Join", "torch.distributed.algorithms.Join"}
_ENVIRONMENT = re.compile(r"environ(?:\.get\(|\[)['\"](RANK|WORLD_SIZE|LOCAL_RANK)['\"]")


def check_processes(source: Source, roles: Roles) -> str:
    """What the file calls ``torch.distributed`` when it spawns its processes, "" when torchrun starts them.

    Raises Unfoldable, with every reason, when the processes may be any others.
    """
    hindrances = Hindrances()
    spawn, spawns = None, any(roles.full_name(c.func) == SPAWN for c in source.calls)
    with hindrances:
        spawn = find_spawn(source, roles)
    with hindrances:
        _check_starts(source, roles, spawn.call if spawn is not None else None)
    found = _groups(source)
    for call in found:
        with hindrances:
            _check_group(source, roles, call, spawned=spawns)
        with hindrances:
            if spawn is not None:
                check_numbers(source, roles, spawn, call)
    with hindrances:
        if not found:
            _check_elsewhere(source)
    hindrances.settle()
    if spawn is None:
        return ""
    if name := distributed_name(source, roles):
        return name
    raise unfoldable(
        spawn.call.lineno, "`torch.distributed` has no name in the script", "add `import torch.distributed as dist`"
    )


def check_one_group(source: Source, roles: Roles) -> None:
    """Raises Unfoldable when the processes may be in other groups than the one of all."""
    _check_starts(source, roles, None, joined=True)


def _check_starts(source: Source, roles: Roles, spawn: ast.Call | None, joined: bool = False) -> None:
    for call in source.calls:
        if roles.full_name(call.func) in _JOINS:
            raise unfoldable(
                call.lineno,
                "processes with fewer batches wait for the others (`Join`), which Lightning's do not",
                "give every process as many batches, as DistributedSampler does",
            )
        told = roles.full_name(call.func) == SPAWN and spawn is None  # by `find_spawn`
        names = _GROUPS if joined else (*_STARTS, *_GROUPS)
        if dotted(call.func).rpartition(".")[2] in names and call is not spawn and not told:
            raise unfoldable(
                call.lineno,
                f"`{dotted(call.func)}` starts or groups processes",
                "start the script with torchrun, and use the one group of all processes",
            )
    if "SLURM_" in source.text and not joined:
        line = source.text[: source.text.index("SLURM_")].count("\n") + 1
        raise unfoldable(
            line,
            "the processes may be SLURM's",
            "start the script with torchrun in the batch script, and read RANK, WORLD_SIZE and LOCAL_RANK",
        )


def _groups(source: Source) -> list[ast.Call]:
    found = [c for c in source.calls if dotted(c.func).rpartition(".")[2] == "init_process_group"]
    return [c for c in found if not (isinstance(c.func, ast.Name) and source.function(c.func.id))]


def _check_elsewhere(source: Source) -> None:
    """The group of a class that trains may be made by the file that makes its object."""
    others = files_with_processes(source.view) if source.view is not None else []
    made = 0
    for other in others or []:
        try:
            roles = roles_of(other)
            _check_starts(other, roles, None)
            for call in _groups(other):
                _check_group(other, roles, call, spawned=False)
                made += 1
        except Unfoldable as reason:
            told = (
                replace(one, line=0, reason=f"another file starts the processes: {one.reason}")
                for one in reason.hindrances
            )
            raise Unfoldable(*told) from reason
    if not made:
        raise unfoldable(
            0, "it is not seen where the group of processes is made", "call `init_process_group` in this file"
        )


def _check_group(source: Source, roles: Roles, call: ast.Call, spawned: bool) -> None:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    known = {"backend", "init_method", "timeout", "rank", "world_size", "device_id"}
    if roles.full_name(call.func) not in _INIT or len(call.args) > 2 or not given.keys() <= known:
        raise unfoldable(
            call.lineno,
            "the group is made in its own way",
            "call `torch.distributed.init_process_group(backend)`, which reads what torchrun says",
        )
    for name in ("rank", "world_size"):
        if name in given and not spawned and not _from_environment(source, roles, given[name]):
            raise unfoldable(
                call.lineno,
                f"the group's `{name}` does not come from torchrun",
                "leave `rank` and `world_size` out, or read RANK and WORLD_SIZE from the environment",
            )


def is_optional(source: Source) -> bool:
    """Whether the script looks if torchrun has started it, so that it may run without."""
    others = source.view.others if source.view is not None and not _groups(source) else ""
    return bool(_OPTIONAL.search(source.text) or _OPTIONAL.search(others))


_OPTIONAL = re.compile(r"environ\.get\(|\bin os\.environ|getenv\(")
_INIT = {"torch.distributed.init_process_group", "torch.distributed.distributed_c10d.init_process_group"}


def _from_environment(source: Source, roles: Roles, node: ast.expr, depth: int = 0) -> bool:
    """Whether a value is what torchrun says, or a plain number where it says nothing."""
    if _ENVIRONMENT.search(ast.unparse(node)):
        return True
    values: list[ast.expr] = []
    match node:
        case ast.Name(id=name):
            key = roles.key(source.scope_of(node), name)
            if key is not None:
                values = [b.value for b in roles.bindings(key)]
                values += [] if values else [argument for _scope, argument in roles.arguments(*key)]
        case ast.Attribute(attr=attribute):
            for store in source.all(ast.Assign):
                if any(isinstance(t, ast.Attribute) and t.attr == attribute for t in store.targets):
                    values.append(store.value)
    told = [v for v in values if not (isinstance(v, ast.Constant) and isinstance(v.value, int))]
    return depth < _DEEPEST and bool(told) and all(_from_environment(source, roles, v, depth + 1) for v in told)


_DEEPEST = 4
