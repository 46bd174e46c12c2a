"""The environment that ``torchrun`` gives each of its processes, for several processes on this machine."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence


def rank_environments(processes: int | None, nodes: int = 1) -> list[dict[str, str]]:
    """One environment per rank, with a free port to meet at; a single empty one for None. ``nodes`` machines have as many each."""
    if processes is None:
        return [{}]
    local = processes // nodes
    shared = {
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(local),
        "ROLE_WORLD_SIZE": str(processes),
        "ROLE_NAME": "default",
        "GROUP_WORLD_SIZE": str(nodes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_RUN_ID": "torch2lit",
        "TORCHELASTIC_USE_AGENT_STORE": "False",
        **_loopback(),
    }
    numbers = [(str(n), str(n % local), str(n // local)) for n in range(processes)]
    return [{**shared, "RANK": n, "LOCAL_RANK": own, "ROLE_RANK": n, "GROUP_RANK": node} for n, own, node in numbers]


def rank_arguments(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The script's arguments for one rank: ``{rank}``, ``{local_rank}`` and ``{world_size}`` are filled in."""
    filled = list(arguments)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        if name in environment:
            filled = [argument.replace("{" + name.lower() + "}", environment[name]) for argument in filled]
    return filled


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _loopback() -> dict[str, str]:
    """Gloo resolves the host's name otherwise, which containers and laptops may not know."""
    return {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
