"""What a script asks of the machine it runs on and does not get, told by its last words."""

from __future__ import annotations

import re

_CUDA = re.compile(
    r"nccl|no nvidia driver|not compiled with cuda|no cuda gpus|cuda (?:is )?not available|found no nvidia|torch\._c.*cuda"
    r"|invalid device ordinal|device_count|_cuda_\w+'",
    re.I,
)
_DATA = re.compile(r"Dataset not found|Error downloading|URLError|^FileNotFoundError", re.M)
_GROUP = re.compile(
    r"environment variable (?:RANK|WORLD_SIZE|MASTER_ADDR|MASTER_PORT) expected"
    r"|KeyError: '(?:LOCAL_RANK|RANK|WORLD_SIZE|MASTER_ADDR)'|default process group has not been initialized",
    re.I,
)
_TRACEBACK = 80
"""Lines at the end in which a traceback names the file that raised."""


def missing_ground(stderr: str, processes: int | None) -> str:
    """One sentence on what a run that failed would need; "" when that cannot be told."""
    last = "\n".join(stderr.strip().splitlines()[-4:])
    if processes is None and _GROUP.search(last):
        return "It expects to be started by torchrun: try --nproc 2."
    if "torchvision" in "\n".join(stderr.strip().splitlines()[-_TRACEBACK:]) and _DATA.search(last):
        return "Its data are not here: download them, or let small ones stand in by --synthetic-data."
    if _CUDA.search(last):
        return (
            "It needs a GPU (or the backend nccl) and the proof runs on the CPU: choose device and backend by "
            "`torch.cuda.is_available()` in the script, or give it the arguments that make it use the CPU and gloo."
        )
    return ""
