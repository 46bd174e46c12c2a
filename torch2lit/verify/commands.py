"""A file of commands, one a line, each as it is typed: what `verify` proves in one go.

train.py --epochs 2
python mnist/main.py --lr 0.1          # an interpreter before the script is not read: --python says which one runs it
torchrun --nproc_per_node=2 ddp.py
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from .errors import VerifyError

_LAUNCHERS = ("torchrun", "torch.distributed.run", "torch.distributed.launch")
_NUMBER_OF_PROCESSES = ("--nproc_per_node", "--nproc-per-node")
_FLAGS = ("--standalone", "--use_env", "--use-env")
_KINDS = (".py", ".ipynb")


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the file: a script, its arguments, and how many processes a launcher starts it in (None without one)."""

    line: int
    text: str
    script: Path
    arguments: tuple[str, ...] = ()
    processes: int | None = None


def read_commands(text: str, name: str) -> list[Command]:
    """The commands of a file; blank lines and what follows a # are left out. Raises VerifyError with file, line and reason."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            words = shlex.split(line, comments=True)
            if words:
                found.append(_command(words, number))
        except ValueError as problem:
            raise VerifyError(f"{name}:{number}: {problem}") from problem
    if not found:
        raise VerifyError(f"{name} has no command")
    return found


def _command(words: list[str], line: int) -> Command:
    text, left = shlex.join(words), list(words)
    if Path(left[0]).name.startswith("python"):
        left.pop(0)
        if left[:1] == ["-m"] and left[1:2] and left[1] in _LAUNCHERS:
            left.pop(0)
    processes = None
    if left and Path(left[0]).name in _LAUNCHERS:
        left.pop(0)
        processes = _launched(left)
    if not left or Path(left[0]).suffix not in _KINDS:
        raise ValueError(f"{left[0] if left else 'nothing'} is not a script or a notebook")
    if not Path(left[0]).is_file():
        raise ValueError(f"{left[0]} is not a file")
    return Command(line, text, Path(left[0]), tuple(left[1:]), processes)


def _launched(left: list[str]) -> int:
    """Take a launcher's own options off the front; the number of processes that it starts."""
    number = 1
    while left and left[0].startswith("-"):
        option, has_value, value = left.pop(0).partition("=")
        if option in _FLAGS:
            continue
        if not has_value:
            if not left:
                raise ValueError(f"{option} has no value")
            value = left.pop(0)
        if option in _NUMBER_OF_PROCESSES:
            if not value.isdecimal() or int(value) < 1:
                raise ValueError(f"{option} is no number of processes: {value}")
            number = int(value)
        elif option in ("--nnodes",) and value not in ("1", "1:1"):
            raise ValueError("verify starts the processes of one machine only")
    return number
