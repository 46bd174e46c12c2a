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


def own_group(source: Source, roles: Roles) -> ast.Call | None:
    """The first call that makes a group of processes, joins one, or wraps a model for it; None when there is none."""
    if not any(word in source.text for word in _WORDS):
        return None
    found = [c for c in source.calls if _is_torchs(roles.full_name(c.func))]
    return min(found, key=lambda c: (c.lineno, c.col_offset)) if found else None


def _is_torchs(full: str) -> bool:
    return full.startswith("torch.") and full.rpartition(".")[2] in _WORDS
