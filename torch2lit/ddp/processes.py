"""How a script comes to its processes: Lightning may only join those that torchrun starts."""

from __future__ import annotations

import ast
import re

from ..recover.roles import Roles
from ..recover.syntax import Source, dotted
from .group import Unfoldable

_STARTS = (
    "spawn",
    "start_processes",
    "Process",
    "rpc",
    "init_rpc",
    "new_group",
    "new_subgroups",
    "init_device_mesh",
    "Join",
)
_ENVIRONMENT = re.compile(r"environ(?:\.get\(|\[)['\"](RANK|WORLD_SIZE|LOCAL_RANK)['\"]")


def check_processes(source: Source, roles: Roles) -> None:
    """Raises Unfoldable when the processes may be others than torchrun's."""
    for call in source.calls:
        if dotted(call.func).rpartition(".")[2] in _STARTS:
            raise Unfoldable(call.lineno, f"`{dotted(call.func)}` starts or groups processes")
    if "SLURM_" in source.text:
        line = source.text[: source.text.index("SLURM_")].count("\n") + 1
        raise Unfoldable(line, "the processes may be SLURM's")
    found = [c for c in source.calls if dotted(c.func).rpartition(".")[2] == "init_process_group"]
    if len(found) != 1 or roles.full_name(found[0].func) not in _INIT:
        line = found[1].lineno if len(found) > 1 else 0
        raise Unfoldable(line, "it is not seen where the group of processes is made")
    call = found[0]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if len(call.args) > 2 or not given.keys() <= {
        "backend",
        "init_method",
        "timeout",
        "rank",
        "world_size",
        "device_id",
    }:
        raise Unfoldable(call.lineno, "the group is made in its own way")
    for name in ("rank", "world_size"):
        if name in given and not _from_environment(source, roles, given[name]):
            raise Unfoldable(call.lineno, f"the group's `{name}` does not come from torchrun")


_INIT = {"torch.distributed.init_process_group", "torch.distributed.distributed_c10d.init_process_group"}


def _from_environment(source: Source, roles: Roles, node: ast.expr) -> bool:
    if _ENVIRONMENT.search(ast.unparse(node)):
        return True
    match node:
        case ast.Name(id=name):
            key = roles.key(source.scope_of(node), name)
            values = [b.value for b in roles.bindings(key)] if key else []
        case ast.Attribute(attr=attribute):
            values = [
                n.value
                for n in source.all(ast.Assign)
                for t in n.targets
                if isinstance(t, ast.Attribute) and t.attr == attribute
            ]
        case _:
            return False
    return bool(values) and all(_ENVIRONMENT.search(ast.unparse(v)) for v in values)
